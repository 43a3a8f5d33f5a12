import type { ReactElement } from "react";
import { useTranslation } from "react-i18next";
import type { Customer } from "../api/client";
import { Trouble } from "../design/telling";
import { To } from "../shell/To";
import { Due } from "./Due";
import { useRequests } from "./requests";

/** What one person asks for by law, and is still due. */
export function RequestsOf({ customer }: { customer: Customer }): ReactElement {
  const { t } = useTranslation();
  const found = useRequests("open");
  const theirs = (found.data?.items ?? []).filter((each) => each.customer && customer.profiles.includes(each.customer));
  return (
    <>
      {found.isError && <Trouble error={found.error} again={() => void found.refetch()} />}
      {theirs.length > 0 && (
        <ul className="marks">
          {theirs.map((each) => (
            <li key={each.id}>
              <To to="/supervise/requests">{t(`request.${each.kind}`)}</To>
              <Due request={each} />
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
