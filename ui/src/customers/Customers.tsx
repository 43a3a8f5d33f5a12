import type { ReactElement } from "react";
import { useLocation } from "../shell/path";
import { CustomerPage } from "./CustomerPage";
import { Search } from "./Search";
import "../desk/desk.css";
import "./customers.css";

/** Who our customers are: found by whatever is known of them, and each on a page of their own. */
export default function Customers(): ReactElement {
  const [, , id = ""] = (useLocation().split("?")[0] ?? "").split("/");
  return <div className="customers">{id ? <CustomerPage key={id} id={id} /> : <Search />}</div>;
}
