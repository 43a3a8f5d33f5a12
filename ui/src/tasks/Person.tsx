import type { ReactElement } from "react";
import { useTranslation } from "react-i18next";
import { phoneNumber } from "../i18n/format";
import { To } from "../shell/To";

/** Who a task is for: by name where one is known, which leads to the customer; the number always. */
export function Person(props: { customer: string | null; name: string; number: string | null }): ReactElement {
  const { t } = useTranslation();
  const number = phoneNumber(props.number) || t("phone.withheld");
  const text = props.name || number;
  return (
    <>
      {props.customer ? (
        <To className="strong" to={`/customers/${props.customer}`}>
          {text}
        </To>
      ) : (
        <span className="strong">{text}</span>
      )}
      {props.name && <span className="tabular">{number}</span>}
    </>
  );
}
