import type { ReactElement } from "react";
import { useTranslation } from "react-i18next";
import { Empty } from "../design/telling";
import { ErasurePage } from "../privacy/ErasurePage";
import { useLocation } from "../shell/path";
import { useDecides } from "../shell/session";
import { CustomerPage } from "./CustomerPage";
import { Same } from "./Same";
import { Search } from "./Search";
import { Whoever } from "./Whoever";
import "../desk/desk.css";
import "./customers.css";

/** Who our customers are: found by whatever is known of them, and each on a page of their own. */
export default function Customers(): ReactElement {
  const { t } = useTranslation();
  const decides = useDecides();
  const [, , id = "", about = ""] = (useLocation().split("?")[0] ?? "").split("/");
  if (!id)
    return (
      <div className="customers">
        <Search />
      </div>
    );
  if (id === "erasures") {
    return (
      <div className="customers">{decides ? <ErasurePage id={about} /> : <Empty>{t("privacy.notYours")}</Empty>}</div>
    );
  }
  return (
    <div className="customers">
      <Whoever key={`${id} ${about}`} id={id}>
        {(customer) => {
          if (about !== "same") return <CustomerPage customer={customer} />;
          return decides ? <Same customer={customer} /> : <Empty>{t("same.notYours")}</Empty>;
        }}
      </Whoever>
    </div>
  );
}
