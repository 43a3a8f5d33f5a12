import { type ReactElement, useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import type { DeskCall } from "../api/client";
import { Empty } from "../design/telling";

/** What is said, while it is said. */
export function Transcript({ call }: { call: DeskCall | null }): ReactElement {
  const { t } = useTranslation();
  const end = useRef<HTMLLIElement>(null);
  const phrases = call?.phrases ?? [];
  const last = phrases.at(-1);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is new is scrolled to
  useEffect(() => {
    end.current?.scrollIntoView?.({ block: "nearest" });
  }, [last?.phrase, last?.text]);
  return (
    <section aria-label={t("desk.transcript")} className="stack">
      <h2 className="label">{t("desk.transcript")}</h2>
      {phrases.length === 0 && <Empty>{t(call ? "desk.noWords" : "desk.noTalk")}</Empty>}
      <ul className="words">
        {phrases.map((phrase) => (
          <li
            key={phrase.phrase}
            ref={phrase === last ? end : null}
            className={`${phrase.channel ? "agent" : "caller"} ${phrase.final ? "" : "growing"}`}
          >
            <span className="label">{t(phrase.channel ? "desk.agent" : "desk.caller")}</span> {phrase.text}
          </li>
        ))}
      </ul>
    </section>
  );
}
