import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { type ReactElement, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, unwrap, type Voicemail } from "../api/client";
import { Badge, Button } from "../design/components";
import { Empty, Loading, Notice, Trouble } from "../design/telling";
import { dateTime, duration, phoneNumber } from "../i18n/format";
import { Person } from "./Person";
import { useQueueTitles } from "./Tasks";

/** Messages that callers left: heard, read, and dealt with. */
export function Voicemails(): ReactElement {
  const { t } = useTranslation();
  const [done, setDone] = useState(false);
  const [settled, setSettled] = useState<Voicemail | null>(null);
  const pages = useInfiniteQuery({
    queryKey: ["voicemails", done],
    initialPageParam: "",
    queryFn: ({ pageParam }) =>
      unwrap(api.GET("/api/v1/voicemails", { params: { query: { done, cursor: pageParam, limit: 30 } } })),
    getNextPageParam: (page) => page.next,
  });
  const items = pages.data?.pages.flatMap((page) => page.items) ?? [];
  const mark = useMark((marked) => setSettled(marked.done_at ? marked : null));
  return (
    <section className="stack" aria-label={t("tasks.voicemails")}>
      <div className="row apart wrap">
        <h2>{t("tasks.voicemails")}</h2>
        <fieldset className="chips" aria-label={t("tasks.which")}>
          <Button on={!done} onPress={() => setDone(false)}>
            {t("tasks.open")}
          </Button>
          <Button on={done} onPress={() => setDone(true)}>
            {t("tasks.done")}
          </Button>
        </fieldset>
      </div>
      {settled && (
        <Notice plain arrives key={settled.id}>
          {t("tasks.settled", { who: settled.person || phoneNumber(settled.ani) || t("phone.withheld") })}{" "}
          <Button onPress={() => mark.run(settled)}>{t("tasks.reopen")}</Button>
        </Notice>
      )}
      {mark.error !== null && <Trouble error={mark.error} deed />}
      {pages.isPending && <Loading />}
      {pages.isError && <Trouble error={pages.error} again={() => void pages.refetch()} />}
      {pages.isSuccess && items.length === 0 && <Empty>{t(done ? "tasks.noneDone" : "tasks.noVoicemails")}</Empty>}
      <ul className="decisions">
        {items.map((each) => (
          <Message key={each.id} message={each} busy={mark.busy} onMark={() => mark.run(each)} />
        ))}
      </ul>
      {pages.hasNextPage && (
        <Button isDisabled={pages.isFetchingNextPage} onPress={() => void pages.fetchNextPage()}>
          {t("desk.more")}
        </Button>
      )}
    </section>
  );
}

/** Marks a message as dealt with, or takes that back. */
function useMark(then: (marked: Voicemail) => void) {
  const client = useQueryClient();
  const underWay = useRef("");
  const marking = useMutation({
    mutationFn: (message: Voicemail) => {
      const params = { path: { voicemail: message.id } };
      return unwrap(
        message.done_at
          ? api.POST("/api/v1/voicemails/{voicemail}/reopen", { params })
          : api.POST("/api/v1/voicemails/{voicemail}/done", { params }),
      );
    },
    onSuccess: then,
    onSettled: () => {
      underWay.current = "";
      return client.invalidateQueries({ queryKey: ["voicemails"] });
    },
  });
  const run = (message: Voicemail): void => {
    if (underWay.current) return;
    underWay.current = message.id;
    marking.mutate(message);
  };
  return { run, busy: marking.isPending ? (marking.variables?.id ?? "") : "", error: marking.error };
}

function Message(props: { message: Voicemail; busy: string; onMark: () => void }): ReactElement {
  const { t } = useTranslation();
  const { message } = props;
  const titleOf = useQueueTitles();
  const who = message.person || phoneNumber(message.ani) || t("phone.withheld");
  const words = message.text || (message.transcript_state ? t(`tasks.words.${message.transcript_state}`) : "");
  return (
    <li>
      <div className="grow stack">
        <span className="row wrap">
          <Person customer={message.customer} name={message.person} number={message.ani} />
          <Badge>{titleOf(message.queue)}</Badge>
          <span className="small soft tabular">
            {dateTime(message.left_at)} · {duration(message.seconds)}
          </span>
        </span>
        {words && <p className={message.text ? "" : "small soft"}>{words}</p>}
        {message.transcript_state ? (
          <audio controls preload="none" src={message.audio} aria-label={t("tasks.hear", { who })} />
        ) : (
          <p className="small soft">{t("tasks.noSound")}</p>
        )}
        {message.done_at && message.done_by && (
          <p className="small soft">{t("tasks.doneBy", { who: message.done_by, when: dateTime(message.done_at) })}</p>
        )}
      </div>
      <Button
        isPending={props.busy === message.id}
        onPress={props.onMark}
        aria-label={`${t(message.done_at ? "tasks.reopen" : "tasks.settle")}: ${who}`}
      >
        {t(message.done_at ? "tasks.reopen" : "tasks.settle")}
      </Button>
    </li>
  );
}
