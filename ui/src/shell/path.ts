import { useSyncExternalStore } from "react";

/** Where the page is: the address, and going elsewhere without loading anew. */
function listen(changed: () => void): () => void {
  window.addEventListener("popstate", changed);
  return () => window.removeEventListener("popstate", changed);
}

export function useLocation(): string {
  return useSyncExternalStore(listen, () => window.location.pathname + window.location.search);
}

export function go(address: string, replace = false): void {
  if (replace) window.history.replaceState(null, "", address);
  else window.history.pushState(null, "", address);
  window.dispatchEvent(new PopStateEvent("popstate"));
}
