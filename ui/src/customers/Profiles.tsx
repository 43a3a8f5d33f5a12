import { type ReactElement, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, type Customer, unwrap } from "../api/client";
import { Confirm } from "../design/Confirm";
import { Button } from "../design/components";
import { identityText } from "./identity";
import { another, PEOPLE, showDecided } from "./people";

/** The profiles that somebody put together into a person, each of which can be taken out again. */
export function Profiles({ customer }: { customer: Customer }): ReactElement | null {
  const { t } = useTranslation();
  const [asked, ask] = useState("");
  if (customer.profiles.length < 2) return null;
  const named = (profile: string): string =>
    customer.identities
      .filter((each) => each.profile === profile)
      .map((each) => identityText(each, t))
      .join(" · ") || t("customers.noIdentity");
  return (
    <section className="stack" aria-label={t("same.madeOf")}>
      <h3 className="label">{t("same.madeOf")}</h3>
      <ul className="decisions">
        {customer.profiles.map((profile, index) => (
          <li key={profile}>
            <span className="grow">
              {named(profile)} {index === 0 && <span className="small soft">{t("same.oldest")}</span>}
            </span>
            <Button aria-label={`${t("same.split")}: ${named(profile)}`} onPress={() => ask(profile)}>
              {t("same.split")}
            </Button>
          </li>
        ))}
      </ul>
      {asked && (
        <Confirm
          title={t("same.askSplit")}
          act={t("same.split")}
          asks={{ label: t("same.evidence"), hint: t("same.evidenceHint") }}
          changes={PEOPLE}
          deed={(evidence) =>
            unwrap(
              api.POST("/api/v1/customers/{customer_id}/split", {
                params: { path: { customer_id: customer.id } },
                body: { profile: asked, evidence },
              }),
            )
          }
          onDone={(answer) => {
            ask("");
            showDecided(answer, another(customer, asked));
          }}
          onClose={() => ask("")}
        >
          <p className="strong">{named(asked)}</p>
          <p>{t("same.splitMeans", { left: customer.profiles.length - 1 })}</p>
          <p className="soft">{t("same.canBeUndone")}</p>
        </Confirm>
      )}
    </section>
  );
}
