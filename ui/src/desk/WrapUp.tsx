import { type ReactElement, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, type CallerContext, customerNumber, type Desk, type DeskCall, unwrap } from "../api/client";
import { Button, Field, Select, Timer } from "../design/components";
import { phoneNumber } from "../i18n/format";
import type { useDeed } from "./useDesk";

interface Props {
  desk: Desk;
  call: DeskCall;
  deed: ReturnType<typeof useDeed>;
}

const draftOf = (call: string): string => `hotline.draft.${call}`;

/** After-call work: what the call came to, and a note. The draft of the note is the one thing this page keeps itself. */
export function WrapUp({ desk, call, deed }: Props): ReactElement {
  const { t } = useTranslation();
  const [disposition, setDisposition] = useState("");
  const [note, setNote] = useState(() => localStorage.getItem(draftOf(call.id)) ?? "");
  const context = call.context as unknown as CallerContext;
  const who = context.name || phoneNumber(customerNumber(call)) || t("phone.withheld");

  useEffect(() => {
    if (note) localStorage.setItem(draftOf(call.id), note);
    else localStorage.removeItem(draftOf(call.id));
  }, [note, call.id]);

  const save = (ready: boolean): void =>
    deed.run(async () => {
      const body = { disposition, note, ready };
      await unwrap(api.POST("/api/v1/calls/{call}/wrap_up", { params: { path: { call: call.id } }, body }));
      localStorage.removeItem(draftOf(call.id));
    });

  return (
    <section className="stack wide" aria-label={t("desk.wrapUp")}>
      <div>
        <h2 className="strong">{t("desk.wrapUp")}</h2>
        <p className="small soft">
          {t("desk.wrapUpOf", { who })}
          {desk.agent.until && (
            <>
              {" · "}
              {t("desk.until")} <Timer until={desk.agent.until} />
            </>
          )}
        </p>
      </div>
      <Select
        label={t("desk.disposition")}
        placeholder={t("desk.choose")}
        options={desk.dispositions.map((each) => ({
          id: each,
          text: t(`disposition.${each}`, { defaultValue: each }),
        }))}
        value={disposition}
        onChange={setDisposition}
      />
      <Field label={t("desk.note")} area value={note} onChange={setNote} placeholder={t("desk.notePlaceholder")} />
      <div className="stack">
        <Button look="primary" isDisabled={!disposition || deed.busy} onPress={() => save(true)}>
          {t("desk.save")}
        </Button>
        <Button isDisabled={!disposition || deed.busy} onPress={() => save(false)}>
          {t("desk.saveOnly")}
        </Button>
      </div>
    </section>
  );
}
