import { useEffect, useSyncExternalStore } from "react";
import { type LiveEvent, live } from "./live";

/** Call `act` for every live event; `act` must be stable. */
export function useLive(act: (event: LiveEvent) => void): void {
  useEffect(() => live.listen(act), [act]);
}

export function useStale(): number | null {
  return useSyncExternalStore(
    (changed) => live.listenStale(changed),
    () => live.stale,
  );
}
