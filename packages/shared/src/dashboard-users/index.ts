/** People who sign in to the dashboard: the dashboard lists and admits them, the command adds the first one. */
export { ROLES, type GroupPlace, type Role } from './roles.js';
export {
  addDashboardUser,
  changeDashboardUser,
  dashboardUserSchema,
  DashboardUserError,
  emailSchema,
  listDashboardUsers,
  type DashboardUser,
} from './dashboard-users.js';
