import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { api, type Hours } from "../api/client";
import i18n from "../i18n";
import { Opening } from "./Opening";

const OFFICE: Hours = {
  name: "office",
  timezone: "Asia/Ho_Chi_Minh",
  state: "closed",
  opens_next: "2026-03-02T01:00:00.000Z",
  emergency: false,
  turned_at: null,
  turned_by: null,
};

/** A server with these opening hours, whose switch can be turned unless it refuses. */
function serve(hours: Hours[], refuses = false): { turned: unknown[] } {
  const turned: unknown[] = [];
  const response = new Response();
  vi.spyOn(api, "GET").mockImplementation((async () => ({
    data: hours.map((each) => ({ ...each })),
    response,
  })) as never);
  vi.spyOn(api, "PUT").mockImplementation((async (
    _path: string,
    asked: { params: { path: { name: string } }; body: { emergency: boolean } },
  ) => {
    if (refuses) return { error: { detail: "You may not." }, response: new Response("", { status: 403 }) };
    turned.push([asked.params.path.name, asked.body]);
    Object.assign(hours[0] as Hours, asked.body, {
      state: "emergency",
      turned_by: "huong",
      turned_at: OFFICE.opens_next,
    });
    return { data: hours[0], response };
  }) as never);
  return { turned };
}

const show = (): void => {
  render(
    <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
      <Opening />
    </QueryClientProvider>,
  );
};

beforeEach(async () => {
  vi.stubGlobal("CSS", { escape: (text: string) => text }); // jsdom has none, and the dialog asks for it
  await i18n.changeLanguage("en");
});
afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

/** The dialog, once it is there. By text: to look for roles under a veil takes jsdom seconds. */
const dialog = async (): Promise<ReturnType<typeof within>> => {
  const title = await screen.findByText("An emergency at office?");
  return within(title.parentElement as HTMLElement);
};

describe("opening hours", () => {
  it("are told, and the switch is turned once somebody is sure", { timeout: 15_000 }, async () => {
    const server = serve([{ ...OFFICE }]);
    show();
    fireEvent.click(await screen.findByText("Declare an emergency"));
    const asked = await dialog();
    expect(server.turned).toEqual([]);
    fireEvent.click(asked.getByText("Declare an emergency"));
    await screen.findByText("End the emergency");
    expect(server.turned).toEqual([["office", { emergency: true }]]);
    expect(screen.getByText(/^huong, /)).toBeTruthy();
    await waitFor(() => expect(screen.queryByText("An emergency at office?")).toBeNull());
  });

  it("say why the switch could not be turned", { timeout: 15_000 }, async () => {
    serve([{ ...OFFICE }], true);
    show();
    fireEvent.click(await screen.findByText("Declare an emergency"));
    const asked = await dialog();
    fireEvent.click(asked.getByText("Declare an emergency"));
    expect(await asked.findByText(/You may not\./)).toBeTruthy();
  });

  it("are nothing where there are none", async () => {
    serve([]);
    show();
    await waitFor(() => expect(api.GET).toHaveBeenCalled());
    expect(screen.queryByText("Opening hours")).toBeNull();
  });
});
