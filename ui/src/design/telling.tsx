import { CircleAlert } from "lucide-react";
import { type ReactElement, type ReactNode, useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { Problem } from "../api/client";
import { Button } from "./components";

export function Notice({
  bad,
  plain,
  held,
  arrives,
  children,
}: {
  bad?: boolean;
  plain?: boolean;
  /** Something that stands, and is no news. */
  held?: boolean;
  /** It tells what became of a deed whose button is gone: the focus goes on from here. */
  arrives?: boolean;
  children: ReactNode;
}): ReactElement {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (arrives) place.current?.focus();
  }, [arrives]);
  return (
    <div
      ref={place}
      tabIndex={arrives ? -1 : undefined}
      className={`notice ${bad || held ? "bad" : plain ? "plain" : ""}`}
      role={bad ? "alert" : held ? "note" : "status"}
    >
      <CircleAlert aria-hidden="true" />
      <div>{children}</div>
    </div>
  );
}

export function Empty({ children }: { children: ReactNode }): ReactElement {
  return <p className="empty">{children}</p>;
}

/** What is on its way; said only when it takes a moment. */
export function Loading(): ReactElement {
  const { t } = useTranslation();
  return (
    <p className="empty loading" role="status">
      {t("problem.loading")}
    </p>
  );
}

/** What went wrong, in words that say what to do. A deed of which no answer came may have been done. */
export function Trouble(props: { error: unknown; again?: () => void; deed?: boolean }): ReactElement {
  const { t } = useTranslation();
  const problem = props.error instanceof Problem ? props.error : new Problem(0, "");
  const status = props.deed && [0, 409].includes(problem.status) ? `deed${problem.status}` : problem.status;
  const text = t(`problem.${status || "away"}`, {
    detail: problem.detail,
    defaultValue: t("problem.other", { detail: problem.detail || problem.status }),
  });
  return (
    <Notice bad>
      {text} {props.again && <Button onPress={props.again}>{t("problem.again")}</Button>}
    </Notice>
  );
}
