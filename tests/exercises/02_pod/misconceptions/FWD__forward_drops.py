"""Who gets no page is stopped by a firewall.

finds: 02.page.cause FWD
"""

# answer: 02.page
page = {
    "cause": "forward-drop",
    "script": """
node1$ kubectl delete pod web1
node1$ kubectl apply -f - <<EOF
> apiVersion: v1
> kind: Pod
> metadata:
>   name: web1
>   labels:
>     app: web
> spec:
>   nodeName: node1
>   containers:
>   - name: web
>     image: web
>     ports:
>     - containerPort: 80
> EOF
""",
}
