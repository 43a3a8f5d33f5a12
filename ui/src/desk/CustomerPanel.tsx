import { useQuery } from "@tanstack/react-query";
import { type ReactElement, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, type CallerContext, unwrap } from "../api/client";
import { identityText } from "../customers/identity";
import { EVERYTHING, Timeline } from "../customers/Timeline";
import { Badge } from "../design/components";
import { dateTime } from "../i18n/format";
import { To } from "../shell/To";
import { Assurance } from "./Assurance";
import { Known } from "./Known";

interface Props {
  customer: string;
  /** What the call itself knows of the caller: shown at once, while the profile is fetched. */
  context?: CallerContext;
  call?: string;
  /** Whether that call is a talk now. */
  talks?: boolean;
}

/** The customer: who, how sure we are, open requests, and everything that happened, of every channel. */
export function CustomerPanel({ customer, context, call, talks }: Props): ReactElement {
  const { t } = useTranslation();
  const [filter, setFilter] = useState(EVERYTHING);
  const profile = useQuery({
    queryKey: ["customer", customer],
    queryFn: () => unwrap(api.GET("/api/v1/customers/{customer_id}", { params: { path: { customer_id: customer } } })),
  });
  const name = profile.data?.name || context?.name || "";
  const cases = (profile.data?.cases ?? []).filter((each) => each.state === "open");
  const open = profile.data ? cases : (context?.open_cases ?? []);

  return (
    <section aria-label={t("desk.customer")} className="stack wide">
      <div className="stack">
        <h2 className="who">
          <To to={`/customers/${customer}`}>{name || t("phone.noName")}</To>
        </h2>
        <p className="row wrap">
          {(profile.data?.identities ?? []).map((each) => (
            <Badge key={`${each.kind}:${each.value}`}>{identityText(each, t)}</Badge>
          ))}
          {(profile.data?.tags ?? context?.tags ?? []).map((tag) => (
            <Badge key={tag} kind="held">
              {tag}
            </Badge>
          ))}
        </p>
        {context && <Assurance customer={customer} level={context.assurance} talk={talks ? call : undefined} />}
        {context && !context.known && <p className="small">{t("desk.newCustomer")}</p>}
      </div>
      <Known customer={customer} context={context} profile={profile.data} />
      {open.length > 0 && (
        <div className="stack">
          <h3 className="label">{t(open.length === 1 ? "desk.case" : "desk.cases")}</h3>
          <ul className="stack">
            {open.map((each) => (
              <li key={each.id} className="case">
                <span className="strong">{each.subject}</span>{" "}
                <span className="small soft">
                  {t("desk.sinceChannel", {
                    date: dateTime(each.opened_at),
                    channel: t(`channel.${each.channel}`, { defaultValue: each.channel }),
                  })}
                </span>
              </li>
            ))}
          </ul>
        </div>
      )}
      <Timeline
        customer={customer}
        call={call}
        filter={filter}
        onFilter={setFilter}
        cases={profile.data?.cases ?? []}
      />
    </section>
  );
}
