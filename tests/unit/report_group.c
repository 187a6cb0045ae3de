#include "report_group.h"

#include "report.h"

int
report_group_begin(void **state)
{
	(void)state;
	report_init();
	return 0;
}

int
report_group_end(void **state)
{
	(void)state;
	report_exit();
	return 0;
}
