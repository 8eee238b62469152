/** The servers of a test run, however they were started. */
export interface Backend {
  description: string;
  natsUrl: string;
  adminDatabaseUrl: string;
  stop(): Promise<void>;
}
