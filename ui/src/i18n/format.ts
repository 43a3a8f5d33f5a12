import i18n from "i18next";

/** How things are said in the two languages. Instants come as ISO 8601, numbers of phones as E.164. */
const locale = (): string => (i18n.language === "vi" ? "vi-VN" : "en-GB");
const pad = (value: number): string => String(value).padStart(2, "0");

/** 1:05, or 1:02:03 from an hour on. */
export function duration(seconds: number): string {
  const whole = Math.floor(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return hours ? `${hours}:${pad(minutes)}:${pad(rest)}` : `${minutes}:${pad(rest)}`;
}

/** +84912345678 is 0912 345 678 at home; other countries' numbers keep their code. */
export function phoneNumber(e164: string | null | undefined): string {
  if (!e164) return "";
  if (!e164.startsWith("+84")) return e164.replace(/^(\+\d{2})(\d{3})(\d{3})(\d+)$/, "$1 $2 $3 $4");
  const home = `0${e164.slice(3)}`;
  return home.length === 10 ? `${home.slice(0, 4)} ${home.slice(4, 7)} ${home.slice(7)}` : home;
}

export function date(iso: string): string {
  const when = new Date(iso);
  return `${pad(when.getDate())}/${pad(when.getMonth() + 1)}/${when.getFullYear()}`;
}

export function time(iso: string): string {
  const when = new Date(iso);
  return `${pad(when.getHours())}:${pad(when.getMinutes())}`;
}

export function dateTime(iso: string): string {
  return `${date(iso)} ${time(iso)}`;
}

/** "today", "yesterday", or the date: what the days of a timeline are called. */
export function day(iso: string, now: Date = new Date()): string {
  const midnight = (when: Date): number => new Date(when.getFullYear(), when.getMonth(), when.getDate()).getTime();
  const days = Math.round((midnight(new Date(iso)) - midnight(now)) / 86_400_000);
  if (days === 0 || days === -1) {
    const words = new Intl.RelativeTimeFormat(locale(), { numeric: "auto" }).format(days, "day");
    return words.charAt(0).toLocaleUpperCase(locale()) + words.slice(1);
  }
  return date(iso);
}

/** A day of the local calendar as the instant at which it begins, a day later for the end of a span. */
export function instant(day: string, later = 0): string | undefined {
  const [year, month, date] = day.split("-").map(Number);
  if (!year || !month || !date) return undefined;
  return new Date(year, month - 1, date + later).toISOString();
}

/** A measured figure: 4.3 in English, 4,3 in Vietnamese. */
export function figure(value: number, digits = 0): string {
  const form = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return new Intl.NumberFormat(locale(), form).format(value);
}

export function money(dong: number): string {
  return `${new Intl.NumberFormat("vi-VN").format(dong)} đ`;
}

/** What an order costs; the server sends decimal numbers as words, so that none is rounded on its way. */
export function amount(value: string, currency: string): string {
  return new Intl.NumberFormat(locale(), { style: "currency", currency }).format(Number(value));
}

/** A birthday as the server has it: 1990-05-17, or --05-17 without its year. */
export function birthday(iso: string): string {
  const [, year, month, day] = /^(\d{4}|-)-(\d{2})-(\d{2})$/.exec(iso) ?? [];
  if (!month || !day) return iso;
  return year === "-" ? `${day}/${month}` : `${day}/${month}/${year}`;
}

/** What a language (BCP 47) is called here: "vi" is Vietnamese, or tiếng Việt. */
export function languageName(code: string): string {
  if (!code) return "";
  try {
    return new Intl.DisplayNames(locale(), { type: "language" }).of(code) ?? code;
  } catch {
    return code; // none that browsers know
  }
}

const collator = new Intl.Collator("vi");
export const byName = (a: string, b: string): number => collator.compare(a, b);
