import { useCallback, useEffect, useState } from "react";

export interface OnlyTab {
  /** Whether this page may have the thing; another tab of this browser may have it. */
  isOurs: boolean;
  /** Take it from the other tab. */
  take: () => void;
}

/** One tab alone has the phone: held by a lock of the browser's, which a closed or crashed tab gives back by itself. */
export function useTheOnlyTab(name: string): OnlyTab {
  const [isOurs, setOurs] = useState(false);
  const [steals, setSteals] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const options = steals > 0 ? { steal: true } : { signal: stop.signal };
    navigator.locks
      .request(name, options, () => {
        setOurs(true);
        return held;
      })
      .catch(() => setOurs(false)); // taken by another tab, or given up
    return () => {
      stop.abort();
      release();
    };
  }, [name, steals]);
  const take = useCallback(() => setSteals((count) => count + 1), []);
  return { isOurs, take };
}
