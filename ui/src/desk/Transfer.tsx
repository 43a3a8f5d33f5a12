import { useQuery } from "@tanstack/react-query";
import { PhoneForwarded } from "lucide-react";
import { type ReactElement, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, type DeskCall, unwrap } from "../api/client";
import { Button, Field, StateBadge } from "../design/components";
import { Empty } from "../design/telling";
import { byName, phoneNumber } from "../i18n/format";
import type { useDeed } from "./useDesk";

interface Props {
  call: DeskCall;
  me: string;
  deed: ReturnType<typeof useDeed>;
}

/** The number that was typed, without what people write between its digits; empty where it is none. */
const numberIn = (words: string): string => {
  const typed = words.replace(/[\s().-]/g, "");
  return /^\+?\d{3,15}$/.test(typed) ? typed : "";
};

/** Where a caller can be given: colleagues who could be rung, queues, and a number outside. */
export function Transfer({ call, me, deed }: Props): ReactElement {
  const { t } = useTranslation();
  const [words, setWords] = useState("");
  const agents = useQuery({
    queryKey: ["agents"],
    queryFn: () => unwrap(api.GET("/api/v1/agents")),
    refetchInterval: 3000,
  });
  const queues = useQuery({ queryKey: ["queues"], queryFn: () => unwrap(api.GET("/api/v1/queues")) });
  const fits = (text: string): boolean => text.toLocaleLowerCase().includes(words.trim().toLocaleLowerCase());
  const others = (agents.data ?? [])
    .filter((agent) => agent.name !== me && fits(agent.name))
    .sort((a, b) => Number(b.state === "ready") - Number(a.state === "ready") || byName(a.name, b.name));
  const number = numberIn(words);
  const give = (body: { agent?: string; queue?: string; number?: string }): void =>
    deed.run(() =>
      unwrap(
        api.POST("/api/v1/calls/{call}/transfer", {
          params: { path: { call: call.id } },
          body: { agent: body.agent ?? "", queue: body.queue ?? "", number: body.number ?? "" },
        }),
      ),
    );

  return (
    <section className="stack" aria-label={t("desk.transferTo")}>
      <h3 className="label">{t("desk.transferTo")}</h3>
      <p className="hint">{t("desk.transferNow")}</p>
      <Field
        label={t("desk.find")}
        hideLabel
        placeholder={t("desk.find")}
        value={words}
        onChange={setWords}
        autoFocus
      />
      <ul className="directory">
        {number && (
          <li>
            <span className="grow ellipsis tabular">{phoneNumber(number)}</span>
            <span className="small soft">{t("desk.outside")}</span>
            <Button
              icon={<PhoneForwarded />}
              tip={`${t("phone.transfer")}: ${phoneNumber(number)}`}
              isDisabled={deed.busy}
              onPress={() => give({ number })}
            />
          </li>
        )}
        {others.map((agent) => (
          <li key={agent.name}>
            <span className="grow ellipsis">{agent.name}</span>
            <StateBadge state={agent.state} />
            <Button
              icon={<PhoneForwarded />}
              tip={`${t("phone.transfer")}: ${agent.name}`}
              isDisabled={!agent.reachable || deed.busy}
              onPress={() => give({ agent: agent.name })}
            />
          </li>
        ))}
        {(queues.data ?? [])
          .filter((queue) => fits(queue.title))
          .map((queue) => (
            <li key={queue.name}>
              <span className="grow ellipsis">{queue.title}</span>
              <span className="small soft tabular">{queue.waiting}</span>
              <Button
                icon={<PhoneForwarded />}
                tip={`${t("phone.transfer")}: ${queue.title}`}
                isDisabled={deed.busy}
                onPress={() => give({ queue: queue.name })}
              />
            </li>
          ))}
      </ul>
      {agents.isSuccess && others.length === 0 && !number && <Empty>{t("desk.noAgents")}</Empty>}
    </section>
  );
}
