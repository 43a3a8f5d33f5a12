import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactElement, useCallback, useEffect } from "react";
import { useTranslation } from "react-i18next";
import { api, unwrap } from "../api/client";
import { useLive } from "../live/hooks";
import { Callbacks } from "./Callbacks";
import { Voicemails } from "./Voicemails";
import "../customers/customers.css";
import "./tasks.css";

/** What waits for somebody without ringing: messages that were left, and people who were promised a call. */
export default function Tasks(): ReactElement {
  const { t } = useTranslation();
  const client = useQueryClient();
  useEffect(() => {
    document.title = `${t("nav.tasks")} · hotline`;
  }, [t]);
  useLive(
    useCallback(
      (event) => {
        if (event.type.startsWith("voicemail.")) void client.invalidateQueries({ queryKey: ["voicemails"] });
        // To an agent a callback is something that changed in a queue.
        if (["callback.changed", "queue.changed"].includes(event.type)) {
          void client.invalidateQueries({ queryKey: ["callbacks"] });
        }
      },
      [client],
    ),
  );
  return (
    <div className="customers">
      <div className="tasks">
        <Voicemails />
        <Callbacks />
      </div>
    </div>
  );
}

/** What a queue is called. */
export function useQueueTitles(): (name: string) => string {
  const queues = useQuery({ queryKey: ["queues"], queryFn: () => unwrap(api.GET("/api/v1/queues")) });
  return (name) => queues.data?.find((each) => each.name === name)?.title || name;
}
