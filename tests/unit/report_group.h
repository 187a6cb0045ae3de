/*
 * Around the tests of a program that reads reports: GMime begins once in a
 * process, so this is set up once for the group.
 */
#ifndef TESTS_REPORT_GROUP_H
#define TESTS_REPORT_GROUP_H

int report_group_begin(void **state);
int report_group_end(void **state);

#endif
