// The studio with Apollo Client.
import { ApolloProvider } from "@apollo/client/react";
import { createApolloClient } from "@darkroom/client/apollo";
import { darkroom, start } from "../shared/start.tsx";
import * as data from "./data.ts";

const client = createApolloClient(darkroom);
start("Apollo", data, (studio) => <ApolloProvider client={client}>{studio}</ApolloProvider>);
