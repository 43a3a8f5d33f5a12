import i18n from "i18next";
import { Component, type ReactNode } from "react";

/** A mistake of ours must not leave a blank page in somebody's talk: the talk itself goes on, and a reload mends it. */
export class Boundary extends Component<{ children: ReactNode }, { fault: string }> {
  state = { fault: "" };

  static getDerivedStateFromError(error: unknown): { fault: string } {
    return { fault: error instanceof Error ? error.message : String(error) };
  }

  render(): ReactNode {
    if (!this.state.fault) return this.props.children;
    return (
      <main className="center">
        <div className="sheet stack wide" role="alert">
          <h1>{i18n.t("problem.page")}</h1>
          <p className="soft">{i18n.t("problem.pageText")}</p>
          <p className="tiny soft">{this.state.fault}</p>
          <button type="button" className="button primary large" onClick={() => window.location.reload()}>
            {i18n.t("problem.reload")}
          </button>
        </div>
      </main>
    );
  }
}
