import { CircleHelp, Languages, LogOut, SunMoon } from "lucide-react";
import { type ReactElement, type ReactNode, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, type Session } from "../api/client";
import { Button, Dialog } from "../design/components";
import { switchTheme } from "../design/theme";
import { setLanguage } from "../i18n";
import { time } from "../i18n/format";
import { keysAreOn, switchKeys, useKeys } from "../keys/keys";
import { useStale } from "../live/hooks";
import { useLocation } from "./path";
import { To } from "./To";

export type Here = "desk" | "customers" | "tasks" | "supervise";

interface Props {
  session: Session;
  here: Here;
  /** Of this page: key and what it does (a translation key). */
  shortcuts: [string, string][];
  children: ReactNode;
  bar?: ReactNode;
  onSignOut?: () => void;
}

export function LanguageButton(): ReactElement {
  const { t, i18n } = useTranslation();
  return (
    <Button look="quiet" icon={<Languages />} onPress={() => setLanguage(i18n.language === "vi" ? "en" : "vi")}>
      <span lang={i18n.language === "vi" ? "en" : "vi"}>{t("nav.language")}</span>
    </Button>
  );
}

export function Shell({ session, here, shortcuts, children, bar, onSignOut }: Props): ReactElement {
  const { t } = useTranslation();
  const [help, setHelp] = useState(false);
  const stale = useStale();
  const main = useRef<HTMLElement>(null);
  const path = useLocation().split("?")[0];
  useKeys({ "?": () => setHelp(true) });
  // Whoever went on by a link that is gone with its page goes on in the new one.
  useEffect(() => {
    if (path && document.activeElement === document.body) main.current?.focus();
  }, [path]);

  const signOut = async (): Promise<void> => {
    onSignOut?.();
    await api.DELETE("/api/v1/session").catch(() => {});
    window.location.assign("/sign-in");
  };

  return (
    <div className="shell">
      <header className="top">
        <a className="brand" href="/">
          hotline
        </a>
        <nav aria-label={t("nav.areas")}>
          {session.role === "agent" ? (
            <To to="/desk" current={here === "desk"}>
              {t("nav.desk")}
            </To>
          ) : (
            <To to="/supervise" current={here === "supervise"}>
              {t("nav.supervise")}
            </To>
          )}
          <To to="/customers" current={here === "customers"}>
            {t("nav.customers")}
          </To>
          <To to="/tasks" current={here === "tasks"}>
            {t("nav.tasks")}
          </To>
        </nav>
        {bar}
        <span className="grow" />
        {stale !== null && (
          <span className="stale" role="alert">
            {t("nav.stale", { time: time(new Date(stale).toISOString()) })}
          </span>
        )}
        <span className="soft small">{session.user}</span>
        <LanguageButton />
        <Button look="quiet" icon={<SunMoon />} tip={t("nav.theme")} onPress={switchTheme} />
        <Button look="quiet" icon={<CircleHelp />} tip={t("nav.keys")} shortcut="?" onPress={() => setHelp(true)} />
        <Button look="quiet" icon={<LogOut />} tip={t("nav.signOut")} onPress={() => void signOut()} />
      </header>
      <main className="page" ref={main} tabIndex={-1}>
        {children}
      </main>
      {help && <Overview shortcuts={shortcuts} onClose={() => setHelp(false)} />}
    </div>
  );
}

function Overview({ shortcuts, onClose }: { shortcuts: [string, string][]; onClose: () => void }): ReactElement {
  const { t } = useTranslation();
  const [on, setOn] = useState(keysAreOn());
  return (
    <Dialog title={t("keys.title")} onClose={onClose}>
      <table className="table">
        <tbody>
          {[...shortcuts, ["?", "keys.help"] as [string, string]].map(([key, text]) => (
            <tr key={key}>
              <td>
                <kbd>{key}</kbd>
              </td>
              <td>{t(text)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <div className="row apart" style={{ marginTop: 16 }}>
        <label className="row">
          <input
            type="checkbox"
            checked={on}
            onChange={(event) => {
              switchKeys(event.target.checked);
              setOn(event.target.checked);
            }}
          />
          {t("keys.use")}
        </label>
        <Button onPress={onClose}>{t("keys.close")}</Button>
      </div>
    </Dialog>
  );
}
