import { useQuery } from "@tanstack/react-query";
import { api, type PrivacyRequest, unwrap } from "../api/client";
import { serverNow } from "../api/clock";

const EVERY_MS = 60_000;
const DAY_MS = 86_400_000;

/** What people asked for, the most urgent first. */
export function useRequests(state: "open" | "all") {
  return useQuery({
    queryKey: ["requests", state],
    queryFn: () => unwrap(api.GET("/api/v1/privacy/requests", { params: { query: { state, limit: 500 } } })),
    refetchInterval: EVERY_MS,
  });
}

export interface Deadline {
  /** What is due: an answer first, then the thing itself. */
  what: "answer" | "do";
  at: string;
  /** Whole days until then, negative once it is over. */
  days: number;
}

/** What is due next of a request, null for one that is closed. */
export function nextDeadline(request: PrivacyRequest, now: number = serverNow()): Deadline | null {
  if (request.outcome) return null;
  const answers = !request.answered_at && request.answer_due_at < request.due_at;
  const at = answers ? request.answer_due_at : request.due_at;
  return { what: answers ? "answer" : "do", at, days: Math.floor((Date.parse(at) - now) / DAY_MS) };
}
