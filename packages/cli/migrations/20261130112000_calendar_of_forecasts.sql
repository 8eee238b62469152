-- What of the calendar a forecast follows; NULL: nothing.
ALTER TABLE forecast_accuracy ADD COLUMN calendar text CHECK (calendar IN ('holidays', 'year'));
