import { type FormEvent, type ReactElement, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, type Problem, type Session, setSession, unwrap } from "../api/client";
import { Button, Field } from "../design/components";
import { Notice } from "../design/telling";
import { LanguageButton } from "../shell/Shell";

interface Props {
  onSignedIn: (session: Session) => void;
}

export default function SignIn({ onSignedIn }: Props): ReactElement {
  const { t } = useTranslation();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [caps, setCaps] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);

  useEffect(() => {
    document.title = `${t("signin.title")} · hotline`;
  }, [t]);

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setProblem(null);
    try {
      const session = await unwrap(api.POST("/api/v1/session", { body: { name: name.trim(), password } }));
      setSession(session);
      onSignedIn(session);
    } catch (error) {
      setProblem(error as Problem);
      setBusy(false);
    }
  };

  const words = (): string => {
    if (!problem) return "";
    if (problem.status === 401) return t("signin.wrong");
    if (problem.status === 429) return t("signin.busy");
    return problem.status ? t("problem.other", { detail: problem.detail }) : t("problem.away");
  };

  return (
    <main className="center">
      <form
        className="sheet stack wide"
        onSubmit={(event) => void submit(event)}
        onKeyUp={(event) => setCaps(event.getModifierState("CapsLock"))}
      >
        <div>
          <h1>{t("signin.title")}</h1>
          <p className="soft">{t("signin.text")}</p>
        </div>
        {problem && <Notice bad>{words()}</Notice>}
        <Field label={t("signin.name")} value={name} onChange={setName} autoFocus autoComplete="username" name="name" />
        <Field
          label={t("signin.password")}
          value={password}
          onChange={setPassword}
          type="password"
          autoComplete="current-password"
          name="password"
          hint={caps ? t("signin.caps") : ""}
        />
        <Button type="submit" look="primary" large isDisabled={busy || !name.trim() || !password}>
          {t("signin.go")}
        </Button>
        <div className="row apart">
          <a href="/call">{t("signin.call")}</a>
          <LanguageButton />
        </div>
      </form>
    </main>
  );
}
