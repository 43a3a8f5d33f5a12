import createClient, { type Middleware } from "openapi-fetch";
import { learnServerTime } from "./clock";
import type { components, paths } from "./schema";

type Schemas = components["schemas"];
export type Session = Schemas["SessionBody"];
export type Desk = Schemas["DeskBody"];
export type DeskCall = Schemas["DeskCall"];
export type Call = Schemas["CallBody"];
/** The number of the customer, whoever called whom: of a call of ours `ani` is what is shown there. */
export const customerNumber = (call: Pick<Call, "direction" | "ani" | "dnis">): string | null =>
  call.direction === "outbound" ? call.dnis : call.ani;
export type Agent = Schemas["AgentBody"];
export type Hours = Schemas["HoursBody"];
export type Queue = Schemas["QueueBody"];
export type Customer = Schemas["CustomerOut"];
export type Identity = Schemas["IdentityOut"];
export type Link = Schemas["LinkOut"];
export type Consent = Schemas["ConsentOut"];
export type Erasure = Schemas["ErasureOut"];
export type PrivacyRequest = Schemas["RequestOut"];
export type Voicemail = Schemas["VoicemailBody"];
export type Callback = Schemas["CallbackBody"];
export type Linked = Schemas["LinkedOut"];
export type Suggestion = Schemas["SuggestionOut"];
export type Case = Schemas["CaseOut"];
export type Interaction = Schemas["InteractionOut"];
export type Recording = Schemas["RecordingOut"];
export type Transcript = Schemas["TranscriptOut"];
export type Word = Schemas["WordOut"];
export type Phone = Schemas["PhoneBody"];

/** What was known of a caller when the call came (telephony.events.CallerContext). */
export interface CallerContext {
  customer: string;
  known: boolean;
  name: string;
  language: string;
  assurance: number;
  tags: string[];
  open_cases: { id: string; subject: string; topic: string; channel: string; opened_at: string }[];
  last_interactions: {
    id: string;
    channel: string;
    direction: string;
    occurred_at: string;
    subject: string;
    text: string;
  }[];
  /** What is below came later: calls that are older than it have none of it. */
  last_agent?: string;
  preferred_channel?: string;
  birthday?: string;
  orders?: {
    number: string;
    state: string;
    amount: string;
    currency: string;
    items: number;
    products: string[];
    placed_at: string;
    at: string;
  }[];
  needs?: { what: string; state: string; since: string }[];
  survey?: { kind: string; score: number; of: number; sentiment: string; at: string } | null;
  reason?: { kind: string; id: string; subject: string; why: string; at: string } | null;
  offer?: { name: string; text: Record<string, string>; why: string } | null;
}

/** What went wrong, as the server says it (RFC 9457): `detail` tells the cause and what mends it. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly detail: string,
  ) {
    super(detail);
  }
}

let csrf = "";
let onSignedOut: () => void = () => {};

/** The word of the session, without which nothing can be changed. */
export function setSession(session: Session | null): void {
  csrf = session?.csrf ?? "";
}

export function whenSignedOut(act: () => void): void {
  onSignedOut = act;
}

const own: Middleware = {
  onRequest({ request }) {
    if (csrf && !["GET", "HEAD"].includes(request.method)) request.headers.set("X-CSRF-Token", csrf);
    return request;
  },
  onResponse({ request, response }) {
    const date = response.headers.get("date");
    if (date && Math.abs(Date.parse(date) - Date.now()) > 5000) learnServerTime(date);
    if (response.status === 401 && csrf && !request.url.endsWith("/session")) {
      csrf = "";
      onSignedOut();
    }
    return response;
  },
};

const PATIENCE_MS = 30_000;
const patient = (request: Request): Promise<Response> => fetch(request, { signal: AbortSignal.timeout(PATIENCE_MS) });

export const api = createClient<paths>({ baseUrl: "", fetch: patient });
api.use(own);

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** Return what an answer holds; throws `Problem`, for a server that is away too. */
export async function unwrap<T>(answer: Promise<Answer<T>>): Promise<T> {
  let given: Answer<T>;
  try {
    given = await answer;
  } catch {
    throw new Problem(0, "");
  }
  if (!given.response.ok) {
    const said = (given.error ?? {}) as { detail?: unknown; errors?: { detail?: unknown }[] };
    const faults = (said.errors ?? []).map((each) => String(each.detail ?? "")).join("; ");
    throw new Problem(given.response.status, faults || (typeof said.detail === "string" ? said.detail : ""));
  }
  return given.data as T;
}
