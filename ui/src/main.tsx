import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { lazy, type ReactElement, StrictMode, Suspense, useCallback, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { api, type Session, setSession, whenSignedOut } from "./api/client";
import "./design/base.css";
import { showTheme } from "./design/theme";
import "./i18n";
import { live } from "./live/live";
import { Boundary } from "./shell/Boundary";
import { go, useLocation } from "./shell/path";
import { SignedIn } from "./shell/session";

const SignIn = lazy(() => import("./signin/SignIn"));
const CallPage = lazy(() => import("./call/CallPage"));
const Desk = lazy(() => import("./desk/Desk"));
const Supervise = lazy(() => import("./supervise/Supervise"));

const queries = new QueryClient({
  // "always": what cannot be asked or done is said at once, and nothing is done later, behind somebody's back.
  defaultOptions: {
    queries: { retry: 2, staleTime: 5_000, refetchOnWindowFocus: true, networkMode: "always" },
    mutations: { networkMode: "always" },
  },
});

const home = (session: Session): string => (session.role === "agent" ? "/desk" : "/supervise");

/** Where somebody wanted to go before signing in; only pages of ours. */
function wanted(session: Session): string {
  const back = new URLSearchParams(window.location.search).get("back") ?? "";
  return /^\/(desk|customers|tasks|supervise)([/?]|$)/.test(back) ? back : home(session);
}

function App(): ReactElement | null {
  const location = useLocation();
  const [session, setKnown] = useState<Session | null | undefined>(undefined);
  const path = location.split("?")[0] ?? "/";
  const needsSession = path !== "/call";

  const take = useCallback((known: Session | null): void => {
    setSession(known);
    setKnown(known);
    if (known) live.start();
    else live.stop();
  }, []);

  useEffect(() => {
    whenSignedOut(() => take(null));
    if (!needsSession) return;
    api
      .GET("/api/v1/session")
      .then(({ data }) => take(data ?? null))
      .catch(() => take(null));
  }, [needsSession, take]);

  useEffect(() => {
    if (!needsSession || session === undefined) return;
    if (session === null && path !== "/sign-in") go(`/sign-in?back=${encodeURIComponent(location)}`, true);
    if (session && (path === "/sign-in" || path === "/")) go(wanted(session), true);
  }, [session, path, location, needsSession]);

  if (path === "/call") return <CallPage />;
  if (session === undefined) return null;
  if (session === null) return <SignIn onSignedIn={take} />;
  // An agent's phone stays, whatever page is shown beside it; the desk is the frame of all of them.
  const isDesk = session.role === "agent" || path.startsWith("/desk");
  return <SignedIn value={session}>{isDesk ? <Desk session={session} /> : <Supervise session={session} />}</SignedIn>;
}

showTheme();
const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <Boundary>
          <Suspense fallback={null}>
            <App />
          </Suspense>
        </Boundary>
      </QueryClientProvider>
    </StrictMode>,
  );
}
