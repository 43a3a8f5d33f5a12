import { useQuery } from "@tanstack/react-query";
import { type ReactElement, type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, type Customer, type Suggestion, unwrap } from "../api/client";
import { Badge, Button } from "../design/components";
import { Loading, Notice, Trouble } from "../design/telling";
import { birthday, date, dateTime, languageName } from "../i18n/format";
import { To } from "../shell/To";
import { identityText } from "./identity";
import { Judge, type Judgement } from "./Judge";
import { useCustomer } from "./Whoever";

interface Props {
  customer: Customer;
  other: string;
  suggestion: Suggestion | undefined;
}

/** Two people side by side, and what may be decided of them. */
export function Compared({ customer, other, suggestion }: Props): ReactElement {
  const { t } = useTranslation();
  const found = useCustomer(other);
  const [asked, ask] = useState<Judgement | null>(null);
  const second = found.data;
  if (!second) {
    return found.isError ? <Trouble error={found.error} again={() => void found.refetch()} /> : <Loading />;
  }
  if (second.id === customer.id) return <Notice plain>{t("same.already")}</Notice>;
  return (
    <section className="stack wide" aria-label={t("same.compared")}>
      <Table one={customer} other={second} />
      {suggestion?.apart && <Notice plain>{t("same.heldApartText")}</Notice>}
      <div className="row wrap">
        <Button look="primary" isDisabled={Boolean(suggestion?.apart)} onPress={() => ask("merge")}>
          {t("same.merge")}
        </Button>
        <Button isDisabled={Boolean(suggestion?.apart)} onPress={() => ask("apart")}>
          {t("same.apart")}
        </Button>
      </div>
      {asked && (
        <Judge judgement={asked} customer={customer} other={second} suggestion={suggestion} onClose={() => ask(null)} />
      )}
    </section>
  );
}

function Table({ one, other }: { one: Customer; other: Customer }): ReactElement {
  const { t } = useTranslation();
  const people = [one, other];
  const row = (label: string, show: (each: Customer) => ReactNode): ReactElement | null => {
    const cells = people.map((each) => ({ id: each.id, shown: show(each) }));
    if (cells.every(({ shown }) => !shown)) return null;
    return (
      <tr>
        <th scope="row">{label}</th>
        {cells.map(({ id, shown }) => (
          <td key={id}>{shown}</td>
        ))}
      </tr>
    );
  };
  const marked = (text: string): ReactNode => (one.birthday === other.birthday ? <mark>{text}</mark> : text);
  return (
    <table className="table compared">
      <thead>
        <tr>
          <td />
          {people.map((each) => (
            <th key={each.id} scope="col">
              <To to={`/customers/${each.id}`}>{each.name || t("customers.noName")}</To>
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {row(t("customers.identities"), (each) => (
          <ul>
            {each.identities.map((its) => (
              <li key={`${its.kind} ${its.value}`}>
                {identityText(its, t)} <span className="soft">{t(`assurance.${its.assurance}`)}</span>
              </li>
            ))}
          </ul>
        ))}
        {row(t("desk.birthday"), (each) => each.birthday && marked(birthday(each.birthday)))}
        {row(t("same.language"), (each) => languageName(each.language))}
        {row(
          t("customers.cases"),
          (each) =>
            each.cases.length > 0 && (
              <ul>
                {each.cases.slice(0, 5).map((its) => (
                  <li key={its.id}>{its.subject}</li>
                ))}
              </ul>
            ),
        )}
        {row(t("desk.orders"), (each) => each.orders.map((its) => its.number).join(", "))}
        {row(t("same.last"), (each) => (
          <Last customer={each.id} />
        ))}
        {row(
          t("privacy.held"),
          (each) =>
            each.holds.length > 0 && <Badge kind="wrong">{each.holds.map((its) => its.reason).join("; ")}</Badge>,
        )}
        {row(t("same.since"), (each) => date(each.created_at))}
      </tbody>
    </table>
  );
}

/** What happened last, shortly. */
function Last({ customer }: { customer: string }): ReactElement {
  const { t } = useTranslation();
  const found = useQuery({
    queryKey: ["timeline", customer, "last"],
    queryFn: () =>
      unwrap(
        api.GET("/api/v1/customers/{customer_id}/timeline", {
          params: { path: { customer_id: customer }, query: { limit: 3 } },
        }),
      ),
  });
  return (
    <ul>
      {(found.data?.items ?? []).map((each) => (
        <li key={each.id}>
          <span className="soft">
            {dateTime(each.occurred_at)} {t(`channel.${each.channel}`, { defaultValue: each.channel })}
          </span>{" "}
          {each.call ? "" : (each.subject || each.text).slice(0, 80)}
        </li>
      ))}
    </ul>
  );
}
