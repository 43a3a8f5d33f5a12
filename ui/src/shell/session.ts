import { createContext, useContext } from "react";
import type { Session } from "../api/client";

/** Who is signed in, for whatever is shown to some and not to others. The server decides; the pages only do not offer. */
export const SignedIn = createContext<Session | null>(null);

/** Whether somebody may hear recordings, decide who is one person, and do what privacy asks for. */
export function useDecides(): boolean {
  const session = useContext(SignedIn);
  return session !== null && session.role !== "agent";
}
