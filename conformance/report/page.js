// Searches and filters the cases, follows links to a case or to all cases about something, and
// copies commands.

const cases = [...document.querySelectorAll(".case")];
const texts = new Map(
  cases.map((each) => [each, each.querySelector("summary").textContent.toLowerCase()]),
);
const search = document.querySelector("#search");
const filters = [...document.querySelectorAll("[data-verdict][aria-pressed]")];
const area = document.querySelector("#area");
const about = document.querySelector("#about");
const found = document.querySelector("#found");

function sift() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const verdicts = filters
    .filter((each) => each.getAttribute("aria-pressed") === "true")
    .map((each) => each.dataset.verdict);
  let shown = 0;
  for (const each of cases) {
    const fits =
      words.every((word) => texts.get(each).includes(word)) &&
      (area.value === "" || each.dataset.area === area.value) &&
      (about.value === "" || each.dataset.about.split(" ").includes(about.value)) &&
      (verdicts.length === 0 || verdicts.includes(each.dataset.verdict));
    each.hidden = !fits;
    shown += fits;
  }
  found.textContent = `${shown} of ${cases.length}`;
}

function showAll() {
  search.value = area.value = about.value = "";
  for (const each of filters) each.setAttribute("aria-pressed", "false");
}

function follow() {
  const name = decodeURIComponent(location.hash.slice(1));
  if (name.startsWith("about=")) {
    showAll();
    about.value = name.slice("about=".length);
    sift();
    document.querySelector("#cases").scrollIntoView();
    return;
  }
  const target = document.getElementById(name);
  if (!target?.classList.contains("case")) return;
  showAll();
  sift();
  target.open = true;
  target.scrollIntoView();
}

search.addEventListener("input", sift);
area.addEventListener("change", sift);
about.addEventListener("change", sift);
for (const each of cases) {
  each.addEventListener("toggle", () => {
    const links = each.dataset.about.split(" ").filter(Boolean).map((key) => {
      const link = document.createElement("a");
      link.href = `#${key}`;
      link.textContent = key;
      return link;
    });
    const keys = document.createElement("p");
    keys.className = "keys";
    keys.append(...links);
    each.querySelector("summary").after(keys);
  }, { once: true });
}
for (const each of document.querySelectorAll(".copied")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  const text = each.querySelector("pre");
  text.before(button);
  // A long command is scrolled by keyboard.
  text.tabIndex = 0;
}
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
