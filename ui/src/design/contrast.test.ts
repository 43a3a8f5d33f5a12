import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

/** Colours as tokens.css gives them, by theme. */
function tokens(): Record<"light" | "dark", Record<string, string>> {
  const css = readFileSync("src/design/tokens.css", "utf8");
  const [light = "", dark = ""] = css.split(':root[data-theme="dark"]');
  const read = (part: string): Record<string, string> =>
    Object.fromEntries([...part.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6})/g)].map(([, name, value]) => [name, value]));
  return { light: read(light), dark: { ...read(light), ...read(dark) } };
}

/** WCAG 2.2, relative luminance and contrast ratio. */
function luminance(hex: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [high = 0, low = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
}

const PAIRS = [
  ...["ground", "ground-2", "ground-3"].flatMap((ground) => [
    ["text", ground],
    ["text-2", ground],
  ]),
  ["accent", "ground"],
  ["accent", "accent-ground"],
  ["on-accent", "accent"],
  ["danger", "ground"],
  ["danger", "danger-ground"],
  ["on-danger", "danger"],
  ...["ready", "ringing", "talking", "held", "resting"].map((state) => [state, `${state}-ground`]),
  ["text", "ringing-ground"],
  ["text-2", "ringing-ground"],
  ["text", "accent-ground"],
  ["text", "mark"],
] as [string, string][];

describe.each(["light", "dark"] as const)("in the %s theme", (theme) => {
  it.each(PAIRS)("%s can be read on %s", (text, ground) => {
    const colours = tokens()[theme];
    expect(contrast(colours[text] ?? "", colours[ground] ?? "")).toBeGreaterThanOrEqual(4.5);
  });
});
