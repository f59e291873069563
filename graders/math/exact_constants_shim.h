/* C interface to Calcium (F. Johansson, "Calcium: computing in exact real and complex fields",
 * ISSAC 2021): exact arithmetic with algebraic and elementary constants. Calcium's header is C
 * only, and this is the only place that knows where it stands: alone in Debian 12, inside FLINT
 * from version 3 on.
 *
 * A stack machine: values are pushed and combined in postfix order. Operations return 0 where the
 * stack, a limit or a domain stops them; the caller then gives up. Not thread safe; one object
 * belongs to one comparison. */
#ifndef R1EVAL_GRADERS_MATH_EXACT_CONSTANTS_SHIM_H_
#define R1EVAL_GRADERS_MATH_EXACT_CONSTANTS_SHIM_H_

#ifdef __cplusplus
extern "C" {
#endif

typedef struct r1eval_constants r1eval_constants;

r1eval_constants* r1eval_constants_new(void); /* NULL: no memory. Owned by the caller. */
void r1eval_constants_free(r1eval_constants* machine);

int r1eval_constants_push_rational(r1eval_constants* machine, const char* num, const char* den);
/* "pi", "e", "i" */
int r1eval_constants_push_named(r1eval_constants* machine, const char* name);
/* "add", "sub", "mul", "div", "pow" take two; "neg", "sqrt", "exp", "log", "sin", "cos", "tan",
 * "atan", "asin", "acos", "abs" take one. */
int r1eval_constants_apply(r1eval_constants* machine, const char* operation);
/* The real n-th root of a real value whose sign can be decided; principal root otherwise. */
int r1eval_constants_root(r1eval_constants* machine, long degree);
/* Are the two values on the stack equal? 1 yes, 0 no, -1 not decided. */
int r1eval_constants_equal(r1eval_constants* machine);

#ifdef __cplusplus
}
#endif

#endif
