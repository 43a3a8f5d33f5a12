import type { ReactElement } from "react";
import { useTranslation } from "react-i18next";
import { api, type Customer, type Suggestion, unwrap } from "../api/client";
import { Confirm } from "../design/Confirm";
import { identityText } from "./identity";
import { PEOPLE, showDecided } from "./people";
import { groundsOf } from "./Same";

export type Judgement = "merge" | "apart";

interface Props {
  judgement: Judgement;
  customer: Customer;
  other: Customer;
  suggestion: Suggestion | undefined;
  onClose: () => void;
}

/** That two are one person, or that they are not: what it means, and why it is said. */
export function Judge({ judgement, customer, other, suggestion, onClose }: Props): ReactElement {
  const { t } = useTranslation();
  const merges = judgement === "merge";
  const count = (of: (each: Customer) => unknown[]): number => of(customer).length + of(other).length;
  const holds = count((each) => each.holds);
  return (
    <Confirm
      title={t(merges ? "same.askMerge" : "same.askApart")}
      act={t(merges ? "same.merge" : "same.apart")}
      asks={{
        label: t("same.evidence"),
        hint: t("same.evidenceHint"),
        first: merges && suggestion ? groundsOf(suggestion, t) : "",
      }}
      changes={PEOPLE}
      deed={(evidence) => {
        const asked = { params: { path: { customer_id: customer.id } }, body: { with: other.id, evidence } };
        return unwrap(
          merges
            ? api.POST("/api/v1/customers/{customer_id}/merge", asked)
            : api.POST("/api/v1/customers/{customer_id}/apart", asked),
        );
      }}
      onDone={(answer) => {
        onClose();
        showDecided(answer, customer.id, !merges);
      }}
      onClose={onClose}
    >
      <ul>
        {[customer, other].map((each) => (
          <li key={each.id}>
            <span className="strong">{each.name || t("customers.noName")}</span>{" "}
            <span className="small soft">{each.identities.map((its) => identityText(its, t)).join(" · ")}</span>
          </li>
        ))}
      </ul>
      {merges ? (
        <>
          <p>
            {t("same.mergeMeans", {
              profiles: count((each) => each.profiles),
              identities: count((each) => each.identities),
              cases: count((each) => each.cases),
            })}
          </p>
          {holds > 0 && <p>{t("same.mergeHolds")}</p>}
          <p className="soft">{t("same.canBeUndone")}</p>
        </>
      ) : (
        <p>{t("same.apartMeans")}</p>
      )}
    </Confirm>
  );
}
