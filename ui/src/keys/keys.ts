import { useEffect } from "react";

/** Shortcuts of a page: a key, and what it does. Typing is never taken for one, and they can be switched off. */
export type Shortcuts = Record<string, (() => void) | undefined>;
const KEPT = "hotline.keys";

export function keysAreOn(): boolean {
  return localStorage.getItem(KEPT) !== "off";
}

export function switchKeys(on: boolean): void {
  localStorage.setItem(KEPT, on ? "on" : "off");
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.closest("input, textarea, select, [role=listbox], [role=dialog]") !== null)
  );
}

export function useKeys(shortcuts: Shortcuts): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || !keysAreOn() || isTyping(event.target)) return;
      // A focused button has its own use for these two.
      if ((event.key === " " || event.key === "Enter") && (event.target as HTMLElement).closest?.("button, a")) return;
      const act = shortcuts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (act) {
        event.preventDefault();
        act();
      }
    };
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  });
}
