import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Problem } from "../api/client";
import i18n from "../i18n";
import { Confirm } from "./Confirm";

const client = new QueryClient();

/** A question that does something; what is told of it, and what is fetched again. */
function ask(deed: (typed: string) => Promise<string>): { done: string[]; closed: () => number; stale: () => boolean } {
  const done: string[] = [];
  let closed = 0;
  client.setQueryData(["people"], []);
  render(
    <QueryClientProvider client={client}>
      <Confirm
        title="Sure?"
        act="Do it"
        asks={{ label: "Why?" }}
        changes={["people"]}
        deed={deed}
        onDone={(answer) => done.push(answer)}
        onClose={() => {
          closed += 1;
        }}
      >
        It will be done.
      </Confirm>
    </QueryClientProvider>,
  );
  return { done, closed: () => closed, stale: () => client.getQueryState(["people"])?.isInvalidated ?? false };
}

const why = (): HTMLInputElement => screen.getByLabelText("Why?");
const submit = (): void => {
  const form = why().closest("form");
  if (form) fireEvent.submit(form);
};

beforeEach(async () => {
  vi.stubGlobal("CSS", { escape: (text: string) => text }); // jsdom has none, and the dialog asks for it
  await i18n.changeLanguage("en");
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

describe("what is asked before something is done", { timeout: 15_000 }, () => {
  it("is done once, however often somebody says yes, and not without a reason", async () => {
    let answer = (_: string): void => {};
    const deed = vi.fn(
      () =>
        new Promise<string>((resolve) => {
          answer = resolve;
        }),
    );
    const asked = ask(deed);
    submit();
    expect(deed).not.toHaveBeenCalled();
    fireEvent.change(why(), { target: { value: " one card " } });
    submit();
    submit();
    fireEvent.click(screen.getByText("Cancel")); // it is under way: nobody can tell whether it is done
    await waitFor(() => expect(deed).toHaveBeenCalledExactlyOnceWith("one card"));
    expect(asked.closed()).toBe(0);
    answer("done");
    await waitFor(() => expect(asked.done).toEqual(["done"]));
    expect(asked.stale()).toBe(true);
  });

  it("keeps what was typed when it fails, says whether it may have been done, and can be tried again", async () => {
    const problems = [new Problem(0, ""), new Problem(409, "it is undone already")];
    const asked = ask(async () => {
      const problem = problems.shift();
      if (problem) throw problem;
      return "done";
    });
    fireEvent.change(why(), { target: { value: "one card" } });
    submit();
    expect(await screen.findByText(/not certain whether it was done/)).toBeTruthy();
    expect(why().value).toBe("one card");
    expect(asked.stale()).toBe(true);
    submit();
    expect(await screen.findByText(/it is undone already/)).toBeTruthy();
    submit();
    await waitFor(() => expect(asked.done).toEqual(["done"]));
  });
});
