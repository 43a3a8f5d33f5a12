import { type QueryClient, useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import { api, type Desk, Problem, unwrap } from "../api/client";
import { learnServerTime } from "../api/clock";
import { followCustomers } from "../customers/follow";
import { useLive } from "../live/hooks";
import { type LiveEvent, REFRESH } from "../live/live";

export interface Phrase {
  phrase: number;
  channel: number;
  text: string;
  start: number;
  end: number;
  final: boolean;
}

const KEY = ["desk"];

/** The desk as the server knows it: fetched whole, and again whenever something of it may have changed. */
export function useDesk(): { desk: Desk | undefined; problem: Problem | null } {
  const client = useQueryClient();
  const query = useQuery({
    queryKey: KEY,
    queryFn: async () => {
      const desk = await unwrap(api.GET("/api/v1/desk"));
      learnServerTime(desk.now);
      return desk;
    },
    refetchInterval: 30_000,
    staleTime: 0,
  });
  useLive(useCallback((event) => follow(client, event), [client]));
  return { desk: query.data, problem: query.error instanceof Problem ? query.error : null };
}

function follow(client: QueryClient, event: LiveEvent): void {
  if (event.type === "transcript.phrase") {
    client.setQueryData<Desk>(KEY, (desk) => desk && withPhrase(desk, event));
    return;
  }
  if (event.type === "call.quality") return; // nothing of the desk itself (ui/src/quality)
  if (followCustomers(client, event)) return;
  if (event.type === REFRESH) void client.invalidateQueries();
  else void client.invalidateQueries({ queryKey: KEY });
}

/** A phrase comes again and again while it is understood better. */
function withPhrase(desk: Desk, event: LiveEvent): Desk {
  if (desk.call?.id !== event.call_id) return desk;
  const phrase = event as unknown as Phrase;
  const others = (desk.call?.phrases ?? []).filter((each) => each.phrase !== phrase.phrase);
  const kept = phrase.text ? [...others, phrase] : others;
  const phrases = kept.sort((a, b) => a.start - b.start);
  return { ...desk, call: desk.call && { ...desk.call, phrases } };
}

/** Do something; a problem stays until the next deed. */
export function useDeed(): { busy: boolean; problem: Problem | null; run: (deed: () => Promise<unknown>) => void } {
  const client = useQueryClient();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const run = useCallback(
    (deed: () => Promise<unknown>) => {
      setBusy(true);
      setProblem(null);
      deed()
        .catch((error: unknown) => setProblem(error instanceof Problem ? error : new Problem(0, String(error))))
        .finally(() => {
          setBusy(false);
          void client.invalidateQueries({ queryKey: KEY });
        });
    },
    [client],
  );
  return { busy, problem, run };
}
