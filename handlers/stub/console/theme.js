// Runs before the first paint, so that the wrong color scheme does not flash. Without a choice, the
// browser's preference applies.
{
  const chosen = localStorage.getItem("clients-register.theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
}
