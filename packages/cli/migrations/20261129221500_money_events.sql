-- Events by which orders bring money or take it back, by their person: each new one is settled with the others of its order.
CREATE INDEX cdp_event_money ON cdp_event (tenant_id, profile_id)
  WHERE name IN ('Order Completed', 'Order Refunded', 'Order Cancelled', 'Invoice Paid', 'Payment Succeeded', 'Deal Updated', 'Deal Deleted');
