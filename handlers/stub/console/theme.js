// Runs before the first paint, so that a chosen scheme does not flash. Without a choice, the
// browser's own preference holds.
{
  const chosen = localStorage.getItem("clients-register.theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
}
