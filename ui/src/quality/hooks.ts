import { useCallback, useEffect, useRef, useState } from "react";
import { useLive } from "../live/hooks";
import { fresh, heard, NOTHING, type Qualities } from "./quality";

const DRAWN_EVERY_MS = 1000;

/** How the running calls sound. A hundred talks tell forty times a second: the page is drawn anew once, if at all. */
export function useQualities(): Qualities {
  const known = useRef(NOTHING);
  const [drawn, draw] = useState(NOTHING);
  useLive(
    useCallback((event) => {
      known.current = heard(known.current, event, Date.now());
    }, []),
  );
  useEffect(() => {
    const timer = setInterval(() => {
      known.current = fresh(known.current, Date.now());
      draw(known.current);
    }, DRAWN_EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  return drawn;
}
