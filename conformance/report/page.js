// Searches and filters the cases, opens the case that a link leads to, and copies commands.

const cases = [...document.querySelectorAll(".case")];
const search = document.querySelector("#search");
const filters = [...document.querySelectorAll("[data-verdict][aria-pressed]")];
const found = document.querySelector("#found");

function sift() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const verdicts = filters
    .filter((each) => each.getAttribute("aria-pressed") === "true")
    .map((each) => each.dataset.verdict);
  let shown = 0;
  for (const each of cases) {
    const fits =
      words.every((word) => each.dataset.words.includes(word)) &&
      (verdicts.length === 0 || verdicts.includes(each.dataset.verdict));
    each.hidden = !fits;
    shown += fits;
  }
  found.textContent = `${shown} of ${cases.length}`;
}

function follow() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target?.classList.contains("case")) return;
  search.value = "";
  for (const each of filters) each.setAttribute("aria-pressed", "false");
  sift();
  target.open = true;
  target.scrollIntoView();
}

search.addEventListener("input", sift);
for (const each of filters) {
  each.addEventListener("click", () => {
    each.setAttribute("aria-pressed", String(each.getAttribute("aria-pressed") !== "true"));
    sift();
  });
}
document.addEventListener("click", async (event) => {
  if (!event.target.matches(".copy")) return;
  const text = event.target.parentElement.querySelector("pre").textContent;
  try {
    await navigator.clipboard.writeText(text);
    event.target.textContent = "Copied";
  } catch {
    // Not every browser gives a page from a file access to the clipboard; select the text instead.
    getSelection().selectAllChildren(event.target.parentElement.querySelector("pre"));
  }
});
addEventListener("hashchange", follow);
sift();
follow();
