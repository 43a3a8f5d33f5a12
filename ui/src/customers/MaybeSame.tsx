import { useQuery } from "@tanstack/react-query";
import type { ReactElement } from "react";
import { useTranslation } from "react-i18next";
import { api, type Customer, unwrap } from "../api/client";
import { Badge } from "../design/components";
import { To } from "../shell/To";

/** Who might be the same person as a customer, for somebody to judge. */
export function useSuggestions(id: string) {
  return useQuery({
    queryKey: ["suggestions", id],
    queryFn: () =>
      unwrap(api.GET("/api/v1/customers/{customer_id}/suggestions", { params: { path: { customer_id: id } } })),
  });
}

/** The way to where that is judged, and whether there is anything to judge. */
export function MaybeSame({ customer }: { customer: Customer }): ReactElement {
  const { t } = useTranslation();
  const open = (useSuggestions(customer.id).data?.items ?? []).filter((each) => !each.apart).length;
  return (
    <span className="row">
      <To to={`/customers/${customer.id}/same`}>{t("same.title")}</To>
      {open > 0 && <Badge kind="ringing">{t("same.open", { number: open })}</Badge>}
      {customer.profiles.length > 1 && <Badge>{t("same.profiles", { number: customer.profiles.length })}</Badge>}
    </span>
  );
}
