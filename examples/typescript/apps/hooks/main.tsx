// The studio with the package's own hooks, and no other library.
import { start } from "../shared/start.tsx";
import * as data from "./data.ts";

start("its own hooks", data);
