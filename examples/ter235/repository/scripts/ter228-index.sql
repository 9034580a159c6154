CREATE INDEX idx_purchase_orders_vendor ON purchaseOrders (vendorId);

INSERT INTO migrationAudit (step, affected) VALUES ('ter-228', 1);
