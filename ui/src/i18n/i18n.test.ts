import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import i18n from "i18next";
import { describe, expect, it } from "vitest";
import en from "./en.json";
import { amount, birthday, day, duration, figure, languageName, money, phoneNumber } from "./format";
import vi from "./vi.json";

const placeholders = (text: string): string[] =>
  [...text.matchAll(/\{\{(\w+)\}\}/g)].map(([, name]) => name ?? "").sort();

describe("the two languages", () => {
  it("say the same things", () => {
    expect(Object.keys(vi).sort()).toEqual(Object.keys(en).sort());
  });

  it.each(Object.keys(en) as (keyof typeof en)[])("%s names the same things", (key) => {
    expect(placeholders(vi[key])).toEqual(placeholders(en[key]));
    expect(vi[key].trim()).not.toBe("");
  });

  const source = readdirSync("src", { recursive: true, encoding: "utf8" })
    .filter((name) => /(?<!\.test)\.tsx?$/.test(name) && !name.includes("schema"))
    .map((name) => readFileSync(join("src", name), "utf8"))
    .join("\n");
  const found = (pattern: RegExp): string[] => [...source.matchAll(pattern)].map(([, key]) => key ?? "");

  it("have every word that a page asks for", () => {
    const asked = found(/\bt\(\s*"([\w.]+)"/g);
    expect(asked.length).toBeGreaterThan(50);
    expect(asked.filter((key) => !(key in en))).toEqual([]);
  });

  it("have no word that no page asks for, and none twice", () => {
    const named = new Set(found(/"(\w+(?:\.[\w-]+)*)"/g));
    const begun = found(/`(\w+(?:\.[\w-]+)*\.)\$\{/g);
    const unused = Object.keys(en).filter((key) => !named.has(key) && !begun.some((prefix) => key.startsWith(prefix)));
    expect(unused).toEqual([]);
    for (const language of ["en", "vi"]) {
      const keys: string[] = readFileSync(`src/i18n/${language}.json`, "utf8").match(/^ {2}"[^"]+"/gm) ?? [];
      expect(keys.filter((key, index) => keys.indexOf(key) !== index)).toEqual([]);
    }
  });
});

describe("how things are said", () => {
  it.each([
    ["1990-05-17", "17/05/1990"],
    ["--05-17", "17/05"],
    ["soon", "soon"],
  ])("the birthday %s is %s", (iso, said) => {
    expect(birthday(iso)).toBe(said);
  });

  it.each([
    ["vi", "Vietnamese"],
    ["", ""],
    ["no language", "no language"],
  ])("the language %s is %s", (code, said) => {
    expect(languageName(code)).toBe(said);
  });

  it("an amount has the signs of its currency", () => {
    expect(amount("1250000", "VND").replace(/\s/g, " ")).toMatch(/1[.,]250[.,]000/);
    expect(amount("12.5", "USD")).toMatch(/12[.,]50/);
  });

  it.each([
    ["+84912345678", "0912 345 678"],
    ["+842812345678", "02812345678"],
    ["+491701234567", "+49 170 123 4567"],
    [null, ""],
  ])("the number %s is %s", (number, said) => {
    expect(phoneNumber(number)).toBe(said);
  });

  it.each([
    [0, "0:00"],
    [65.9, "1:05"],
    [3723, "1:02:03"],
  ])("%s seconds are %s", (seconds, said) => {
    expect(duration(seconds)).toBe(said);
  });

  it("groups money as people here do", () => {
    expect(money(1234567)).toBe("1.234.567 đ");
  });

  it("writes figures with the sign of its language", async () => {
    expect([figure(4.25, 1), figure(0, 1), figure(12.4), figure(1234)]).toEqual(["4.3", "0.0", "12", "1,234"]);
    await i18n.init({ lng: "vi" });
    expect([figure(4.25, 1), figure(1234)]).toEqual(["4,3", "1.234"]);
    await i18n.changeLanguage("en");
  });

  it("calls the days around now by name", () => {
    const now = new Date(2026, 10, 24, 9);
    expect(day(new Date(2026, 10, 24, 0, 1).toISOString(), now)).toBe("Today");
    expect(day(new Date(2026, 10, 23, 23, 59).toISOString(), now)).toBe("Yesterday");
    expect(day(new Date(2026, 10, 22).toISOString(), now)).toBe("22/11/2026");
  });
});
