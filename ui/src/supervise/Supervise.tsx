import type { ReactElement } from "react";
import type { Session } from "../api/client";
import { Shell } from "../shell/Shell";
export default function Supervise({ session }: { session: Session }): ReactElement {
  return (
    <Shell session={session} here="supervise" shortcuts={[]}>
      …
    </Shell>
  );
}
