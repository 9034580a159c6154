SELECT 'vendors without a client', COUNT(*) FROM purchaseOrders AS po
WHERE NOT EXISTS (SELECT 1 FROM supplier_profiles AS sp WHERE sp.legacy_vendor_id = po.vendorId);
