/** Light or dark: as the system says, until somebody chooses. */
const KEPT = "hotline.theme";
const dark = window.matchMedia("(prefers-color-scheme: dark)");

export function theme(): "light" | "dark" {
  const kept = localStorage.getItem(KEPT);
  if (kept === "light" || kept === "dark") return kept;
  return dark.matches ? "dark" : "light";
}

export function showTheme(): void {
  document.documentElement.dataset.theme = theme();
}

export function switchTheme(): void {
  localStorage.setItem(KEPT, theme() === "dark" ? "light" : "dark");
  showTheme();
}

dark.addEventListener("change", showTheme);
