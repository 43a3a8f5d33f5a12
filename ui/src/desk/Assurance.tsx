import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, type ReactElement, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, Problem, unwrap } from "../api/client";
import { Button, Field } from "../design/components";
import { Notice, Trouble } from "../design/telling";
import { time } from "../i18n/format";

interface Props {
  customer: string;
  level: number;
  /** The talk in which a code may be sent; none, and it is only said how sure it is who calls. */
  talk?: string | undefined;
}

const SURE = 3;
const DIGITS = 6;
/** What is said of a code that was not sent, by the status of the answer. */
const UNSENT: Record<number, string> = { 409: "nowhere", 429: "tooMany", 502: "notTaken" };

/** How sure it is who calls; in a talk, a one-time code makes it so: sent where only that person reads, and told. */
export function Assurance({ customer, level, talk }: Props): ReactElement {
  const { t } = useTranslation();
  const line = useRef<HTMLParagraphElement>(null);
  const proven = useRef(false);
  // The form that led here is gone: the focus goes on from what it led to.
  useEffect(() => {
    if (level >= SURE && proven.current) line.current?.focus();
  }, [level]);
  const prove = (): void => {
    proven.current = true;
  };
  return (
    <div className="stack">
      <p className="small soft" ref={line} tabIndex={-1}>
        {t(`desk.assurance.${level}`)}
      </p>
      {talk && level < SURE && <Code key={talk} customer={customer} talk={talk} onProven={prove} />}
    </div>
  );
}

function Code(props: { customer: string; talk: string; onProven: () => void }): ReactElement {
  const { customer, talk, onProven } = props;
  const { t } = useTranslation();
  const client = useQueryClient();
  const [code, setCode] = useState("");
  const params = { path: { customer_id: customer } };
  const checking = useMutation({
    mutationFn: () =>
      unwrap(api.POST("/api/v1/customers/{customer_id}/codes/check", { params, body: { call: talk, code } })),
    onSuccess: (answer) => {
      setCode("");
      if (answer.verified) onProven();
    },
    onSettled: () => client.invalidateQueries({ queryKey: ["desk"] }),
  });
  const sending = useMutation({
    mutationFn: () =>
      unwrap(api.POST("/api/v1/customers/{customer_id}/codes", { params, body: { call: talk, by: [] } })),
    onMutate: () => checking.reset(),
  });
  const check = (event: FormEvent): void => {
    event.preventDefault();
    if (code.length === DIGITS && !checking.isPending) checking.mutate();
  };
  const unsent = sending.error instanceof Problem ? UNSENT[sending.error.status] : undefined;
  const sent = sending.data;
  const over = checking.data && !checking.data.verified && !checking.data.again;
  return (
    <div className="stack">
      {sent && !over && (
        <form className="stack" onSubmit={check}>
          <p className="small" role="status">
            {t("desk.code.sent", {
              channel: t(`channel.${sent.channel}`, { defaultValue: sent.channel }),
              time: time(sent.expires_at),
            })}
          </p>
          <div className="row wrap foot">
            <Field
              label={t("desk.code.told")}
              value={code}
              onChange={(typed) => setCode(typed.replace(/\D/g, "").slice(0, DIGITS))}
              wrong={checking.data?.again ?? false}
              inputMode="tel"
              autoFocus
            />
            <Button type="submit" look="primary" isDisabled={code.length < DIGITS} isPending={checking.isPending}>
              {t("desk.code.check")}
            </Button>
          </div>
        </form>
      )}
      {checking.data?.again && <Notice bad>{t("desk.code.wrong")}</Notice>}
      {over && <Notice bad>{t("desk.code.over")}</Notice>}
      {checking.isError && <Trouble error={checking.error} deed />}
      {unsent ? (
        <Notice bad>{t(`desk.code.${unsent}`)}</Notice>
      ) : (
        sending.isError && <Trouble error={sending.error} deed />
      )}
      <div className="row">
        <Button look="quiet" isPending={sending.isPending} onPress={() => sending.mutate()}>
          {t(sent ? "desk.code.again" : "desk.code.send")}
        </Button>
      </div>
    </div>
  );
}
