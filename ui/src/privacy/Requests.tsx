import { type ReactElement, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, type PrivacyRequest, unwrap } from "../api/client";
import { useCustomer } from "../customers/Whoever";
import { Confirm } from "../design/Confirm";
import { Button, Scroll } from "../design/components";
import { Empty, Loading, Trouble } from "../design/telling";
import { date } from "../i18n/format";
import { To } from "../shell/To";
import { Due } from "./Due";
import { NewRequest } from "./NewRequest";
import { useRequests } from "./requests";

type Deed = "answer" | "done" | "refused";

/** What people ask for by law, the most urgent first. */
export function Requests(): ReactElement {
  const { t } = useTranslation();
  const [all, setAll] = useState(false);
  const [isNew, setNew] = useState(false);
  const [asked, ask] = useState<{ request: PrivacyRequest; deed: Deed } | null>(null);
  const found = useRequests(all ? "all" : "open");
  const items = found.data?.items ?? [];
  return (
    <section className="stack">
      <div className="row apart wrap">
        <h2>{t("supervise.requests")}</h2>
        <div className="row">
          <Button on={all} onPress={() => setAll(!all)}>
            {t("privacy.closedToo")}
          </Button>
          <Button look="primary" onPress={() => setNew(true)}>
            {t("privacy.writeRequest")}
          </Button>
        </div>
      </div>
      {found.isPending && <Loading />}
      {found.isError && <Trouble error={found.error} again={() => void found.refetch()} />}
      {found.isSuccess && items.length === 0 && <Empty>{t("privacy.noRequests")}</Empty>}
      {items.length > 0 && (
        <Scroll label={t("supervise.requests")}>
          <table className="table">
            <thead>
              <tr>
                <th>{t("privacy.kind")}</th>
                <th>{t("supervise.person")}</th>
                <th>{t("privacy.due")}</th>
                <th>{t("privacy.received")}</th>
                <th>{t("privacy.note")}</th>
                <th>{t("privacy.deed")}</th>
              </tr>
            </thead>
            <tbody>
              {items.map((each) => (
                <Row key={each.id} request={each} onAsk={(deed) => ask({ request: each, deed })} />
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
      {isNew && <NewRequest onClose={() => setNew(false)} />}
      {asked && <Settle request={asked.request} deed={asked.deed} onClose={() => ask(null)} />}
    </section>
  );
}

function Row({ request, onAsk }: { request: PrivacyRequest; onAsk: (deed: Deed) => void }): ReactElement {
  const { t } = useTranslation();
  return (
    <tr>
      <td className="strong one-line">{t(`request.${request.kind}`)}</td>
      <td>{request.customer ? <Whose customer={request.customer} /> : t("privacy.unknown")}</td>
      <td>
        <Due request={request} />
      </td>
      <td className="tabular one-line">
        {date(request.received_at)} <span className="soft">{request.by}</span>
      </td>
      <td className={request.note && "said-there"}>{request.note}</td>
      <td>
        {!request.outcome && (
          <span className="row">
            {!request.answered_at && <Button onPress={() => onAsk("answer")}>{t("privacy.answered")}</Button>}
            <Button onPress={() => onAsk("done")}>{t("outcome.done")}</Button>
            <Button onPress={() => onAsk("refused")}>{t("outcome.refused")}</Button>
          </span>
        )}
      </td>
    </tr>
  );
}

function Whose({ customer }: { customer: string }): ReactElement {
  const { t } = useTranslation();
  const found = useCustomer(customer);
  if (found.isError) return <span className="soft">{t("privacy.unknown")}</span>;
  return <To to={`/customers/${customer}`}>{found.data?.name || t("customers.noName")}</To>;
}

function Settle(props: { request: PrivacyRequest; deed: Deed; onClose: () => void }): ReactElement {
  const { t } = useTranslation();
  const { request, deed, onClose } = props;
  const params = { path: { request_id: request.id } };
  return (
    <Confirm
      title={t(`privacy.ask.${deed}`, { what: t(`request.${request.kind}`) })}
      act={t(deed === "answer" ? "privacy.answered" : `outcome.${deed}`)}
      danger={deed === "refused"}
      changes={["requests"]}
      deed={() =>
        unwrap(
          deed === "answer"
            ? api.POST("/api/v1/privacy/requests/{request_id}/answer", { params })
            : api.POST("/api/v1/privacy/requests/{request_id}/close", { params, body: { outcome: deed } }),
        )
      }
      onDone={onClose}
      onClose={onClose}
    >
      <p>{t(`privacy.means.${deed}`)}</p>
    </Confirm>
  );
}
