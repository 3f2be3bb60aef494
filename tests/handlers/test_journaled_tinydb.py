"""The journaled TinyDB: it does what TinyDB does, in transactions, at a constant cost."""

import asyncio
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.disk import InterceptedDisk
from tinydb import TinyDB, where
from tinydb.storages import MemoryStorage
from tinydb.table import Document, Table

from clients_register.handlers.store.journaled import tables
from clients_register.handlers.store.journaled.database import JournaledTinyDB

IDS = st.integers(1, 5)
VALUES = st.none() | st.integers(0, 3) | st.sampled_from(["x", 10**30, [1, {"b": "é"}]])
DOCUMENTS = st.fixed_dictionaries({"a": VALUES}, optional={"b": VALUES})

Operation = Callable[[Table], Any]


def increment(document: Any) -> None:
    document["n"] = document.get("n", 0) + 1


def operations() -> st.SearchStrategy[Operation]:
    """Every operation of TinyDB that changes a table; some of them are refused."""
    numbered = st.builds(Document, DOCUMENTS, IDS)
    queries = st.builds(lambda value: where("a") == value, VALUES)
    return st.one_of(
        st.builds(lambda each: lambda table: table.insert(each), DOCUMENTS | numbered),
        st.builds(
            lambda many: lambda table: table.insert_multiple(many),
            st.lists(DOCUMENTS | numbered, max_size=3),
        ),
        st.builds(
            lambda fields, ids: lambda table: table.update(fields, doc_ids=ids),
            DOCUMENTS,
            st.lists(IDS, unique=True),
        ),
        st.builds(
            lambda fields, query: lambda table: table.update(fields, query),
            DOCUMENTS | st.just(increment),
            st.none() | queries,
        ),
        st.builds(
            lambda fields, query: lambda table: table.update_multiple([(fields, query)]),
            DOCUMENTS,
            queries,
        ),
        st.builds(lambda each: lambda table: table.upsert(each), numbered),
        st.builds(lambda each, query: lambda table: table.upsert(each, query), DOCUMENTS, queries),
        st.builds(lambda ids: lambda table: table.remove(doc_ids=ids), st.lists(IDS, unique=True)),
        st.builds(lambda query: lambda table: table.remove(query), queries),
        st.just(lambda table: table.truncate()),
    )


def outcome(operation: Operation, table: Table) -> Any:
    """Returns the result of the operation, or the type of the exception it raises."""
    try:
        return operation(table)
    except (ValueError, KeyError) as error:
        return type(error)


def sort(outcome: Any) -> Any:
    """A list of ids without its order, which is that in which documents were stored."""
    return sorted(outcome) if isinstance(outcome, list) else outcome


def content(table: Table) -> dict[int, Any]:
    """All documents by id, having been read in every way that TinyDB offers."""
    found = {document.doc_id: dict(document) for document in table}
    assert len(table) == len(found) == len(table.all())
    for doc_id, document in found.items():
        assert table.contains(doc_id=doc_id)
        assert table.get(doc_id=doc_id) == document
        assert table.get(doc_ids=[doc_id]) == [document]
        query = where("a") == document.get("a")
        assert document in table.search(query)
        assert table.count(query) == sum(each.get("a") == document["a"] for each in found.values())
    return found


def open_database(path: Path) -> JournaledTinyDB:
    return JournaledTinyDB(path, locked=False)


@contextmanager
def opened(path: Path) -> Iterator[JournaledTinyDB]:
    with closing(open_database(path)) as found:
        yield found


@given(transactions=st.lists(st.lists(operations(), min_size=1, max_size=4), max_size=6))
def test_every_operation_does_what_it_does_in_plain_tinydb(
    transactions: list[list[Operation]],
) -> None:
    async def run(path: Path) -> dict[int, Any]:
        plain = TinyDB(storage=MemoryStorage).table("t")
        with opened(path) as journaled:
            table = journaled.table("t", indexed=("a",))
            for each in transactions:
                before = content(table)
                with journaled.transaction() as transaction:
                    for operation in each:
                        assert sort(outcome(operation, table)) == sort(outcome(operation, plain))
                        assert content(table) == content(plain)
                assert content(table) == before, "nothing is visible before the commit"
                await transaction.commit()
                assert content(table) == content(plain)
                check_index(table)
        return content(plain)

    with TemporaryDirectory() as folder:
        path = Path(folder, "data.json")
        expected = asyncio.run(run(path))
        with opened(path) as again:
            assert content(again.table("t", indexed=("a",))) == expected
        with TinyDB(path) as plainly:
            assert content(plainly.table("t")) == expected


def check_index(table: tables.JournaledTable) -> None:
    """The index finds what a search finds; only values that can be dictionary keys are indexed."""
    for value in [0, 1, 2, 3, "x"]:
        found = table.search(where("a") == value)
        assert sorted(table.find("a", value)) == sorted(document.doc_id for document in found)


def test_a_field_of_an_object_in_a_document_is_indexed(tmp_path: Path) -> None:
    async def run() -> None:
        with opened(tmp_path / "data.json") as journaled:
            table = journaled.table("t", indexed=("client.id",))
            with journaled.transaction() as transaction:
                table.insert_multiple(
                    [{"client": {"id": 7}}, {"client": None}, {}, {"client": {}}, {"client": 5}]
                )
            await transaction.commit()
            assert [*table.find("client.id", 7)] == [1]
            assert [*table.values("client.id")] == [7]

    asyncio.run(run())


def test_a_change_outside_a_transaction_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path / "data.json") as journaled:
        with pytest.raises(RuntimeError, match="expected a transaction"):
            journaled.table("t").insert({"a": 1})
        with pytest.raises(RuntimeError, match="truncate"):
            journaled.drop_table("t")
        with pytest.raises(RuntimeError, match="truncate"):
            journaled.drop_tables()


def test_transactions_cannot_be_nested(tmp_path: Path) -> None:
    with (
        opened(tmp_path / "data.json") as journaled,
        journaled.transaction(),
        pytest.raises(RuntimeError, match="expected no open transaction"),
        journaled.transaction(),
    ):
        pass


async def test_an_uncommitted_transaction_changes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path / "data.json") as journaled:
        table = journaled.table("t")
        with journaled.transaction() as transaction:
            table.insert({"a": 1})
        with pytest.raises(ZeroDivisionError), journaled.transaction():
            table.insert({"a": 1 / 0})
        assert content(table) == {}
        with journaled.transaction() as transaction:
            table.insert({"a": 2})
            table.truncate()
        ended = list[bool]()
        await transaction.commit(lambda: ended.append(True))
        assert ended == [True]
        assert content(table) == {}


@pytest.mark.parametrize(
    "operation",
    [
        lambda table: table.insert({"a": 1}),
        lambda table: table.insert(Document({"a": 1}, 5000)),
        lambda table: table.upsert(Document({"a": 1}, 7)),
        lambda table: table.put(7, b'{"a":1}'),
        lambda table: table.update({"a": 1}, doc_ids=[7]),
        lambda table: table.remove(doc_ids=[7]),
        lambda table: table.get(doc_id=7),
        lambda table: table.contains(doc_id=7),
        lambda table: table.find("a", 7),
        len,
    ],
)
async def test_an_operation_by_id_decodes_no_other_document_of_a_thousand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: Operation
) -> None:
    with opened(tmp_path / "data.json") as journaled:
        table = journaled.table("t", indexed=("a",))
        with journaled.transaction() as transaction:
            table.insert_multiple({"a": number} for number in range(1000))
        await transaction.commit()
        decoded, decode = count(), tables._decode

        def counting(encoded: bytes) -> dict[str, Any]:
            next(decoded)
            return decode(encoded)

        monkeypatch.setattr(tables, "_decode", counting)
        with journaled.transaction() as transaction:
            operation(table)
        await transaction.commit()
        assert next(decoded) <= 3


async def commit(journaled: JournaledTinyDB, operation: Callable[[], object]) -> None:
    with journaled.transaction() as transaction:
        operation()
    await transaction.commit()


def submit(journaled: JournaledTinyDB, operation: Callable[[], object]) -> asyncio.Future[None]:
    with journaled.transaction() as transaction:
        operation()
    return transaction.commit()


async def test_a_transaction_sees_the_commits_that_are_pending(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    with opened(path) as journaled:
        table = journaled.table("t", indexed=("a",))
        await commit(journaled, lambda: table.insert({"a": 1}))
        pending = [
            submit(journaled, lambda: table.update({"a": 2}, doc_ids=[1])),
            submit(journaled, lambda: table.update({"a": 1}, doc_ids=[1])),
            submit(journaled, lambda: table.insert({"a": 3})),
            submit(journaled, lambda: table.insert(Document({"a": 4}, 1000))),
            submit(journaled, lambda: table.insert({"a": 5})),
            submit(journaled, lambda: table.remove(where("a") == 3)),
            submit(journaled, lambda: table.remove(doc_ids=[2])),
            submit(journaled, table.truncate),
            submit(journaled, lambda: table.insert({"a": 6})),
        ]
        assert content(table) == {1: {"a": 1}}, "only what is durable is visible outside"
        await asyncio.gather(*pending)
        expected = content(table)
        assert [*expected.values()] == [{"a": 6}]
        check_index(table)
    with opened(path) as again:
        assert content(again.table("t")) == expected


async def test_a_commit_that_fails_fails_those_that_may_be_based_on_it(tmp_path: Path) -> None:
    failing = set[str]()

    def fail(kind: str, path: Path) -> None:
        if kind in failing and ".journal." in path.name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "data.json"
    with closing(JournaledTinyDB(path, locked=False, disk=InterceptedDisk(fail))) as journaled:
        table = journaled.table("t", indexed=("a",))
        await commit(journaled, lambda: table.insert({"a": 1}))
        failing.add("write")
        first = submit(journaled, lambda: table.update({"a": 2}, doc_ids=[1]))
        second = submit(journaled, lambda: table.update({"b": 2}, where("a") == 2))
        for future in (first, second):
            with pytest.raises(OSError, match="No space left"):
                await future
        failing.clear()
        await commit(journaled, lambda: table.insert({"a": 3}))
        expected = content(table)
        assert expected == {1: {"a": 1}, 2: {"a": 3}}
        check_index(table)
    with opened(path) as again:
        assert content(again.table("t")) == expected


async def test_put_replaces_a_document(tmp_path: Path) -> None:
    with opened(tmp_path / "data.json") as journaled:
        table = journaled.table("t")
        await commit(journaled, lambda: table.put(7, b'{"a":1,"b":1}'))
        await commit(journaled, lambda: table.put(7, b'{"a":2}'))
        assert content(table) == {7: {"a": 2}}


async def test_a_document_that_is_only_read_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text('{"t": {"1": {"a":  "\\u00e9"}, "2": {"a":  5}}}')
    with opened(path) as journaled:
        table = journaled.table("t")
        await commit(journaled, lambda: table.update({"b": 1}, where("a") == 5))
        journal = path.with_name("data.json.journal.1").read_text()
        assert '"2":' in journal
        assert '"1":' not in journal


@pytest.mark.parametrize(
    "document", [{1: "a", "1": "b"}, {"a": float("nan")}, {"a": float("inf")}, {"a": (1,)}]
)
def test_a_document_that_would_not_be_read_back_equal_is_refused(
    tmp_path: Path, document: dict[Any, Any]
) -> None:
    with opened(tmp_path / "data.json") as journaled, journaled.transaction():
        table = journaled.table("t")
        with pytest.raises(ValueError, match="expected a document of JSON values"):
            table.insert_multiple([{"a": 1}, document])
        assert content(table) == {}


@pytest.mark.parametrize("doc_id", [0, -1, 10**19, True])
@pytest.mark.parametrize(
    "operation",
    [
        lambda table, doc_id: table.insert(Document({"a": 1}, doc_id)),
        lambda table, doc_id: table.put(doc_id, b'{"a":1}'),
    ],
    ids=["insert", "put"],
)
def test_an_id_that_a_file_cannot_contain_is_refused(
    tmp_path: Path, operation: Callable[[Table, int], Any], doc_id: int
) -> None:
    with opened(tmp_path / "data.json") as journaled, journaled.transaction():
        table = journaled.table("t")
        with pytest.raises(ValueError, match="expected an id from 1 to 9999999999999999999"):
            operation(table, doc_id)
        assert content(table) == {}


async def test_a_callback_that_raises_affects_no_other_commit(tmp_path: Path) -> None:
    raised = list[Any]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))
    with opened(tmp_path / "data.json") as journaled:
        table = journaled.table("t")
        with journaled.transaction() as first:
            table.insert({"a": 1})
        ended = first.commit(lambda: 1 / 0)  # type: ignore[arg-type]
        await asyncio.gather(ended, submit(journaled, lambda: table.insert({"a": 2})))
        assert len(table) == 2
    assert [type(each["exception"]) for each in raised] == [ZeroDivisionError]


async def test_a_transaction_is_committed_once_after_its_block(tmp_path: Path) -> None:
    with opened(tmp_path / "data.json") as journaled:
        table = journaled.table("t")
        with journaled.transaction() as transaction:
            table.insert({"a": 1})
            with pytest.raises(RuntimeError, match="expected a commit after its `with` block"):
                transaction.commit()
        with journaled.transaction() as transaction:
            table.insert({"a": 1})
        await transaction.commit()
        with pytest.raises(RuntimeError, match="expected one commit of a transaction"):
            transaction.commit()
        assert [*content(table).values()] == [{"a": 1}]


async def test_a_database_is_closed_once_and_without_pending_commits(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    journaled = JournaledTinyDB(path)
    table = journaled.table("t")
    with journaled.transaction() as late:
        table.insert({"a": 7})
    pending = submit(journaled, lambda: table.insert({"a": 1}))
    with pytest.raises(RuntimeError, match="expected no pending commit"):
        journaled.close()
    await pending
    journaled.close()
    with closing(JournaledTinyDB(path)) as again:
        await commit(again, lambda: again.table("t").insert({"a": 2}))
        journaled.close()
        with pytest.raises(RuntimeError, match="expected an open database"):
            late.commit()
        assert len(again.table("t")) == 2
    with opened(path) as once_more:
        assert len(once_more.table("t")) == 2


def test_the_name_of_the_table_of_the_storage_is_reserved(tmp_path: Path) -> None:
    with (
        opened(tmp_path / "data.json") as journaled,
        pytest.raises(ValueError, match="expected another name for a table, found '_generation'"),
    ):
        journaled.table("_generation")


def test_a_table_that_is_only_read_is_not_created(tmp_path: Path) -> None:
    with opened(tmp_path / "data.json") as journaled:
        assert journaled.table("t").all() == []
        assert journaled.tables() == set()


@pytest.mark.parametrize("name", ["e-mail", "a b", "__slots__", "class"])
async def test_a_field_of_any_name_is_indexed(tmp_path: Path, name: str) -> None:
    with opened(tmp_path / "data.json") as journaled:
        table = journaled.table("t", indexed=(name,))
        await commit(journaled, lambda: table.insert({name: 5}))
        assert [*table.find(name, 5)] == [1]
