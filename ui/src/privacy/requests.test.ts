import { describe, expect, it } from "vitest";
import type { PrivacyRequest } from "../api/client";
import { nextDeadline } from "./requests";

const REQUEST: PrivacyRequest = {
  id: "r1",
  kind: "export",
  customer: null,
  received_at: "2026-11-20T02:00:00.000Z",
  answer_due_at: "2026-11-24T17:00:00.000Z",
  due_at: "2026-11-30T02:00:00.000Z",
  answered_at: null,
  done_at: null,
  outcome: "",
  overdue: false,
  note: "",
  by: "huong",
  done_by: "",
};
const now = Date.parse("2026-11-23T05:00:00Z");

describe("what is due next of a request", () => {
  it("is the answer, then the thing itself, then nothing", () => {
    expect(nextDeadline(REQUEST, now)).toEqual({ what: "answer", at: REQUEST.answer_due_at, days: 1 });
    const answered = { ...REQUEST, answered_at: "2026-11-23T05:00:00.000Z" };
    expect(nextDeadline(answered, now)).toEqual({ what: "do", at: REQUEST.due_at, days: 6 });
    expect(nextDeadline({ ...answered, outcome: "done" }, now)).toBeNull();
  });

  it("is over from the first moment on", () => {
    expect(nextDeadline(REQUEST, Date.parse(REQUEST.answer_due_at) + 1)?.days).toBe(-1);
  });
});
